/**
 * Removes the white space between the tokens of JSON text. Nothing is parsed, so numbers keep every digit.
 */
export function compactJson(json: string): string {
  let isString = false;
  // Searches for quotes and escapes. A pattern for whole strings overflows the stack with millions of
  // escapes.
  return json.replace(/\\.|"|\s+/g, (token) => {
    if (token === '"') isString = !isString;
    return isString || token === '"' || token.startsWith('\\') ? token : '';
  });
}
