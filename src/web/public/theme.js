// Runs before the first paint, so that the page does not flash in another theme. It is a file because the CSP
// forbids inline scripts.
try {
  const theme = localStorage.getItem('waltrail.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden. Then the system's theme applies.
}
