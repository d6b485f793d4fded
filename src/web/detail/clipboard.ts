/**
 * Puts text on the clipboard; false when the browser does not allow it. Without HTTPS there is no clipboard
 * API, so the old command stands in: its text field is put beside `near`, because a modal dialog makes all
 * else inert.
 */
export async function copyText(text: string, near: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    field.className = 'visually-hidden';
    near.after(field);
    field.select();
    const isCopied = document.execCommand('copy');
    field.remove();
    near.focus();
    return isCopied;
  }
}
