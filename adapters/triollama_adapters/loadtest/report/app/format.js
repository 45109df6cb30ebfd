// Figures in charts, as the rest of the page has them: three digits and a unit.
const NOTHING = "\u2013";

function digits(value) {
  if (value === 0) return "0";
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)) + 1e-12));
  const text = value.toLocaleString("en-US", {
    minimumFractionDigits: 0,
    maximumFractionDigits: Math.min(12, places),
  });
  return text;
}

function showS(value) {
  if (value == null || !isFinite(value)) return NOTHING;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 0.9995) return digits(value) + " s";
  if (size >= 0.0009995) return digits(value * 1e3) + " ms";
  return digits(value * 1e6) + " \u00b5s";
}

function showRate(value) {
  return value == null ? NOTHING : digits(value) + "/s";
}

function showCount(value) {
  return value == null ? NOTHING : digits(value);
}

function showShare(value) {
  return value == null ? NOTHING : digits(100 * value) + " %";
}

function showBytes(value) {
  if (value == null) return NOTHING;
  for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]])
    if (value >= size) return digits(value / size) + " " + unit;
  return digits(value) + " B";
}

// A number stays on one line with its unit.
function tie(text) {
  return text.replace(/(\d) (ms|s|\u00b5s|%|min|h|tokens|requests?|users?|requests\/s|sessions\/s|GiB|MiB)(?![a-z])/g, "$1\u00a0$2");
}

// A moment of the run: 45 s, 3:20, 1:02:05.
function showAt(value) {
  if (value == null) return NOTHING;
  if (Math.abs(value) < 120) return digits(value) + " s";
  const whole = Math.round(value);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// About so many round numbers between two ends.
function ticks(low, high, about) {
  const rough = (high - low) / Math.max(1, about) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step)
    found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}
