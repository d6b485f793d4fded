/**
 * Copies text to the clipboard. Resolves to false if the browser does not allow it. Without HTTPS, browsers
 * have no clipboard API, so the old copy command is used. It needs a text field. The field is placed next to
 * `near`, because a modal dialog makes everything outside it inert.
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
