// Latency over throughput, a point per run: drawn as SVG, so that points can be reached by keyboard.
const CURVES = [["ttft", "TTFT p95"], ["tpot", "TPOT p95"], ["e2e", "E2E p95"]];
const TONES = { good: "good", bad: "c7", doubt: "c2", note: "c1" };

function Curve({ curve, onPick, figures }) {
  const known = CURVES.filter(([key]) => curve.points.some((point) => point[key] != null));
  const [metric, setMetric] = useState(known.length ? known[0][0] : "ttft");
  const box = useRef(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const measure = () => setWidth(isPrinting ? 700 : Math.floor(box.current.clientWidth));
    const watch = new ResizeObserver(measure);
    measure();
    watch.observe(box.current);
    const stop = onPaint(measure);
    return () => (watch.disconnect(), stop());
  }, []);
  const points = curve.points.filter((point) => point[metric] != null);
  const named = (CURVES.find(([key]) => key === metric) || CURVES[0])[1];
  const aside = html`<span class="choice" role="group" aria-label="Latency shown">
    ${known.map(([key, label]) => html`<button class="small-button" aria-pressed=${key === metric} onClick=${() => setMetric(key)}>${label}</button>`)}
  </span>`;
  return html`<figure class="card chart">
    <figcaption><h3>${named} over throughput</h3>${aside}</figcaption>
    <p class="def">A point for each run: requests answered per second, and the latency at that. ${curve.is_line ? figures.knee[1] : ""} The label is the load; choose a point to see its run.</p>
    <div class="plot" ref=${box}>${width > 0 && points.length > 0 && drawCurve({ ...curve, points }, metric, named, width, onPick)}</div>
  </figure>`;
}

function drawCurve({ points, limits, is_line }, metric, named, width, onPick) {
  const height = Math.max(260, Math.min(400, width * 0.42));
  const [left, right, top, bottom] = [64, 26, 22, 44];
  const limit = limits[metric];
  const [xMost, yMost] = [Math.max(...points.map((p) => p.x)) * 1.08 || 1, Math.max(...points.map((p) => p[metric])) * 1.1];
  const isLog = yMost / Math.min(...points.map((p) => p[metric])) > 30;
  const yLeast = isLog ? Math.min(...points.map((p) => p[metric]), limit || Infinity) * 0.7 : 0;
  const yEnd = Math.max(yMost, Math.min(limit || 0, yMost * 2) * 1.1);
  const x = (value) => left + (value / xMost) * (width - left - right);
  const share = (value) => (isLog ? Math.log(value / yLeast) / Math.log(yEnd / yLeast) : value / yEnd);
  const y = (value) => height - bottom - share(value) * (height - top - bottom);
  const yTicks = isLog
    ? [1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100].flatMap((p) => [p, 3 * p]).filter((v) => v >= yLeast && v <= yEnd)
    : ticks(0, yEnd, 5);
  const path = points.map((p, n) => `${n ? "L" : "M"}${x(p.x).toFixed(1)},${y(p[metric]).toFixed(1)}`).join("");
  const shown = limit != null && limit <= yEnd && limit >= yLeast;
  return html`<svg width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="group" aria-label=${`${named} over requests per second, ${points.length} runs`}>
    ${yTicks.map((v) => html`<g><line x1=${left} x2=${width - right} y1=${y(v)} y2=${y(v)} stroke="var(--grid)" /><text x=${left - 9} y=${y(v) + 4} text-anchor="end">${showS(v)}</text></g>`)}
    ${ticks(0, xMost, Math.max(3, width / 130)).map((v) => html`<text x=${x(v)} y=${height - bottom + 18} text-anchor="middle">${digits(v)}</text>`)}
    <text x=${(left + width - right) / 2} y=${height - 6} text-anchor="middle">requests answered per second</text>
    ${shown && html`<g><line x1=${left} x2=${width - right} y1=${y(limit)} y2=${y(limit)} stroke="var(--c7)" stroke-dasharray="6 4" stroke-width="1.4" /><text x=${left + 6} y=${y(limit) - 6}>limit ${showS(limit)}</text></g>`}
    ${is_line && html`<path d=${path} fill="none" stroke="var(--c1)" stroke-width="2" stroke-linejoin="round" />`}
    ${points.map((p) => drawPoint(p, x(p.x), y(p[metric]), width, `${p.label}: ${digits(p.x)} requests/s, ${named} ${showS(p[metric])}`, onPick))}
  </svg>`;
}

function drawPoint(point, x, y, width, told, onPick) {
  const ink = `var(--${TONES[point.tone]})`;
  const pick = () => onPick(point.run);
  const onKey = (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), pick());
  const atEnd = x > width - 110;
  const text = point.is_knee ? `${point.label} (knee)` : point.label;
  return html`<g role="button" tabindex="0" aria-label=${told} onClick=${pick} onKeyDown=${onKey} cursor="pointer">
    <title>${told}</title>
    ${point.is_knee && html`<circle cx=${x} cy=${y} r="11" fill="none" stroke=${ink} stroke-width="2" />`}
    <circle cx=${x} cy=${y} r="5.5" fill=${ink} stroke="var(--card)" stroke-width="1.5" />
    <text x=${atEnd ? x - 12 : x + 12} y=${y - 10} text-anchor=${atEnd ? "end" : "start"} class=${point.is_knee ? "strong" : ""}>${text}</text>
  </g>`;
}
