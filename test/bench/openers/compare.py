"""Compares what a reader finds in a workbook of Waltrail with the cells of export-cells.mjs, and prints JSON.

  compare.py CELLS KINDS openpyxl WORKBOOK
  compare.py CELLS KINDS libreoffice CSV…

KINDS has a letter for each column: d is a date in days as Excel counts them, n a number, any other a text. The
files of LibreOffice are the data sheets as it saves them in CSV, with cells as they are shown.
"""

import csv
import datetime
import json
import struct
import sys

EPOCH = datetime.datetime(1899, 12, 30)
MILLISECOND = datetime.timedelta(milliseconds=1)
LENGTH = struct.Struct("<I")
MOST_TOLD = 5


def expected(path, columns):
    with open(path, "rb", buffering=1 << 20) as stream:
        while True:
            row = []
            for _ in range(columns):
                head = stream.read(LENGTH.size)
                if not head:
                    return
                row.append(stream.read(LENGTH.unpack(head)[0]).decode())
            yield row


def of_openpyxl(path):
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True)
    for sheet in book.worksheets[1:]:
        for row in sheet.iter_rows(min_row=2, values_only=True):
            yield row


def is_right_in_openpyxl(kind, text, found):
    from openpyxl.utils.escape import unescape

    if text == "":
        return found is None
    if kind == "d":
        at = EPOCH + datetime.timedelta(days=float(text))
        return isinstance(found, datetime.datetime) and abs(found - at) <= MILLISECOND
    if kind == "n":
        return not isinstance(found, str) and found == int(text)
    return isinstance(found, str) and unescape(found) == text


def of_libreoffice(paths):
    csv.field_size_limit(1 << 30)
    for path in paths:
        with open(path, encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            next(rows)
            yield from rows


def is_right_in_libreoffice(kind, text, found):
    if kind != "d":
        return found == text
    at = EPOCH + datetime.timedelta(days=float(text))
    return abs(datetime.datetime.strptime(found, "%Y-%m-%d %H:%M:%S.%f") - at) <= MILLISECOND


def main(cells, kinds, reader, *paths):
    rows = of_openpyxl(paths[0]) if reader == "openpyxl" else of_libreoffice(paths)
    is_right = is_right_in_openpyxl if reader == "openpyxl" else is_right_in_libreoffice
    compared = 0
    wrong = 0
    told = []
    count = 0
    for count, want in enumerate(expected(cells, len(kinds)), 1):
        have = next(rows, None)
        if have is None:
            raise SystemExit(f"{reader} finds {count - 1} rows only")
        # Empty cells at the end of a row are left out.
        have = list(have) + [None if reader == "openpyxl" else ""] * (len(kinds) - len(have))
        for column, kind in enumerate(kinds):
            compared += 1
            if is_right(kind, want[column], have[column]):
                continue
            wrong += 1
            if len(told) < MOST_TOLD:
                told.append({"row": count, "column": column, "expected": want[column][:80], "found": str(have[column])[:80]})
    if next(rows, None) is not None:
        raise SystemExit(f"{reader} finds more than {count} rows")
    json.dump({"rows": count, "cells": compared, "wrong": wrong, "told": told}, sys.stdout)


main(*sys.argv[1:])
