// Runs before the first paint: a remembered theme must not flash the other one. The CSP forbids inline
// scripts.
try {
  const theme = localStorage.getItem('waltrail.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's theme then holds.
}
