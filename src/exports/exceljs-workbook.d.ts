/** The part of exceljs that writes workbooks, without its readers, its streams and its CSV. */
declare module 'exceljs/lib/doc/workbook.js' {
  import type { Workbook } from 'exceljs';

  const Constructor: typeof Workbook;
  export default Constructor;
}
