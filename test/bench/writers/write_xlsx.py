"""Writes the cells of export-cells.mjs with XlsxWriter in its mode of constant memory.

  write_xlsx.py CELLS FILE KINDS

KINDS has a letter for each column: d is a date, n a number, any other a text.
"""

import struct
import sys

import xlsxwriter

ROWS_OF_SHEET = 1_048_576

cells, file, kinds = sys.argv[1:]
workbook = xlsxwriter.Workbook(file, {"constant_memory": True})
formats = {
    "t": workbook.add_format({"num_format": "@", "valign": "top"}),
    "l": workbook.add_format({"text_wrap": True, "valign": "top"}),
    "d": workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000", "valign": "top"}),
    "n": workbook.add_format({"num_format": "0", "valign": "top"}),
}
columns = [(column, kind in "dn", formats[kind]) for column, kind in enumerate(kinds)]
length_of = struct.Struct("<I")
with open(cells, "rb", buffering=1 << 20) as stream:
    read = stream.read
    row = ROWS_OF_SHEET
    sheet = None
    ended = False
    while not ended:
        for column, is_number, style in columns:
            head = read(4)
            if not head:
                ended = True
                break
            if column == 0 and row == ROWS_OF_SHEET:
                sheet = workbook.add_worksheet()
                row = 0
            (length,) = length_of.unpack(head)
            if length == 0:
                continue
            cell = read(length).decode()
            if is_number:
                sheet.write_number(row, column, float(cell), style)
            else:
                sheet.write_string(row, column, cell, style)
        row += 1
workbook.close()
