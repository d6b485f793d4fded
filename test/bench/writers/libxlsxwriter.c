/*
 * Writes the cells of export-cells.mjs with libxlsxwriter in its mode of constant memory.
 *
 *   libxlsxwriter CELLS FILE KINDS [LEVEL]
 *
 * KINDS has a letter for each column: d is a date, n a number, any other a text. The library has no setting for the
 * level of compression; with LEVEL, what it asks zlib for is replaced here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xlsxwriter.h>
#include <zlib.h>

enum { ROWS_OF_SHEET = 1048576 };

static int level_asked = Z_DEFAULT_COMPRESSION;

int deflateInit2_(z_streamp stream, int level, int method, int window_bits, int memory_level, int strategy,
                  const char *version, int stream_size) {
  static int (*real)(z_streamp, int, int, int, int, int, const char *, int);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "deflateInit2_");
  if (level_asked != Z_DEFAULT_COMPRESSION) level = level_asked;
  return real(stream, level, method, window_bits, memory_level, strategy, version, stream_size);
}

static void fail(const char *what) {
  fprintf(stderr, "libxlsxwriter: %s\n", what);
  exit(1);
}

int main(int count, char **arguments) {
  if (count < 4) fail("CELLS, FILE and KINDS are missing");
  const char *kinds = arguments[3];
  if (count > 4) level_asked = atoi(arguments[4]);
  FILE *cells = fopen(arguments[1], "rb");
  if (cells == NULL) fail("the cells cannot be read");
  setvbuf(cells, NULL, _IOFBF, 1 << 20);

  lxw_workbook_options options = {.constant_memory = LXW_TRUE, .tmpdir = NULL, .use_zip64 = LXW_FALSE};
  lxw_workbook *workbook = workbook_new_opt(arguments[2], &options);
  lxw_format *text = workbook_add_format(workbook);
  format_set_num_format(text, "@");
  format_set_align(text, LXW_ALIGN_VERTICAL_TOP);
  lxw_format *lines = workbook_add_format(workbook);
  format_set_text_wrap(lines);
  format_set_align(lines, LXW_ALIGN_VERTICAL_TOP);
  lxw_format *date = workbook_add_format(workbook);
  format_set_num_format(date, "yyyy-mm-dd hh:mm:ss.000");
  format_set_align(date, LXW_ALIGN_VERTICAL_TOP);
  lxw_format *number = workbook_add_format(workbook);
  format_set_num_format(number, "0");
  format_set_align(number, LXW_ALIGN_VERTICAL_TOP);

  size_t columns = strlen(kinds);
  size_t room = 1 << 16;
  char *cell = malloc(room);
  lxw_worksheet *sheet = NULL;
  lxw_row_t row = ROWS_OF_SHEET;
  for (;;) {
    for (size_t column = 0; column < columns; column++) {
      uint32_t length;
      if (fread(&length, sizeof length, 1, cells) != 1) {
        if (column > 0 || !feof(cells)) fail("the cells end within a row");
        return workbook_close(workbook) == LXW_NO_ERROR ? 0 : 1;
      }
      if (length + 1 > room) cell = realloc(cell, room = 2 * (size_t)length + 1);
      if (length > 0 && fread(cell, 1, length, cells) != length) fail("the cells end within a cell");
      cell[length] = '\0';
      if (column == 0 && row == ROWS_OF_SHEET) {
        sheet = workbook_add_worksheet(workbook, NULL);
        row = 0;
      }
      if (length == 0) continue;
      lxw_col_t at = (lxw_col_t)column;
      switch (kinds[column]) {
        case 'd':
          worksheet_write_number(sheet, row, at, strtod(cell, NULL), date);
          break;
        case 'n':
          worksheet_write_number(sheet, row, at, strtod(cell, NULL), number);
          break;
        default:
          worksheet_write_string(sheet, row, at, cell, kinds[column] == 'l' ? lines : text);
      }
    }
    row++;
  }
}
