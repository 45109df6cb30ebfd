// The theme, and colours by their names in the style sheet: canvases have to be told.
const THEMES = ["auto", "light", "dark"];
const KEY = "triollama-report-theme";
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const painters = new Set();
let chosen = readTheme();
let isPrinting = false;

function readTheme() {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.includes(kept) ? kept : "auto";
  } catch {
    return "auto"; // a page from a disk may keep nothing
  }
}

function applyTheme() {
  const isDark = !isPrinting && (chosen === "dark" || (chosen === "auto" && prefersDark.matches));
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  for (const paint of painters) paint();
}

function chooseTheme(theme) {
  chosen = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // as above: then it holds until the page is closed
  }
  applyTheme();
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// Call `paint` whenever what is drawn has to be drawn anew; returns how to stop that.
function onPaint(paint) {
  painters.add(paint);
  return () => painters.delete(paint);
}

prefersDark.addEventListener("change", applyTheme);
addEventListener("beforeprint", () => {
  isPrinting = true;
  for (const each of document.querySelectorAll("details.what")) each.open = true;
  applyTheme();
});
addEventListener("afterprint", () => {
  isPrinting = false;
  for (const each of document.querySelectorAll("details.what")) each.open = false;
  applyTheme();
});

// A mix of the three colours of the heat map, for a share from 0 to 1.
function heatColors() {
  const parse = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  const stops = ["heat-0", "heat-1", "heat-2"].map((name) => parse(color(name)));
  return (share) => {
    const place = Math.min(1, Math.max(0, share)) * 2;
    const at = Math.min(1, Math.floor(place));
    const mixed = stops[at].map((from, n) => Math.round(from + (stops[at + 1][n] - from) * (place - at)));
    return `rgb(${mixed.join(",")})`;
  };
}
