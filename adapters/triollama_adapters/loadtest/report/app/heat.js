// How many requests had which TTFT, over time: a canvas, and in words where the pointer is.
const MARGIN = { left: 64, right: 10, top: 6, bottom: 24 };

function HeatMap({ run, figure }) {
  const { heat, series } = run;
  const says = useRef(null);
  if (!heat) return null;
  const counts = heat.columns.map(([low, ...some]) => {
    const column = new Array(heat.rows).fill(0);
    some.forEach((count, n) => (column[low + n] = count));
    return column;
  });
  const most = Math.max(1, ...counts.map((column) => Math.max(...column)));
  const last = Math.max(series.at[series.at.length - 1] + series.moment_s, counts.length * heat.column_s);
  const draw = (box, width, height) => {
    const canvas = document.createElement("canvas");
    canvas.width = width * devicePixelRatio;
    canvas.height = height * devicePixelRatio;
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
    box.append(canvas);
    paintHeat(canvas.getContext("2d"), { ...heat, counts, most, last, window: series.window }, width, height);
    const tell = (event) => (says.current.textContent = tellHeat(event, canvas, { ...heat, counts, last }, width, height));
    canvas.addEventListener("pointermove", tell);
    canvas.addEventListener("pointerleave", () => (says.current.textContent = ""));
    return { destroy: () => canvas.remove() };
  };
  const aside = html`<span class="scale">1 request <i></i> ${showCount(most)} ${most === 1 ? "request" : "requests"}</span>`;
  return html`<div class="gap">
    <${Plot} title=${figure[0]} meaning=${figure[1]} aside=${aside} draw=${draw} height=${260} isWide deps=${[run]} />
    <p class="says" ref=${says} aria-live="off"></p>
  </div>`;
}

function frame(heat, width, height) {
  const { left, right, top, bottom } = MARGIN;
  return {
    x: (at) => left + (at / heat.last) * (width - left - right),
    y: (row) => height - bottom - (row / heat.rows) * (height - top - bottom),
  };
}

function paintHeat(ctx, heat, width, height) {
  const { x, y } = frame(heat, width, height);
  const mix = heatColors();
  ctx.scale(devicePixelRatio, devicePixelRatio);
  ctx.fillStyle = color("soft");
  ctx.fillRect(x(0), y(heat.rows), x(heat.last) - x(0), y(0) - y(heat.rows));
  heat.counts.forEach((column, n) => {
    const [from, to] = [x(n * heat.column_s), x((n + 1) * heat.column_s)];
    column.forEach((count, row) => {
      if (!count) return;
      ctx.fillStyle = mix(0.12 + 0.88 * Math.sqrt(count / heat.most));
      ctx.fillRect(from, y(row + 1), Math.max(1, to - from - (to - from > 4 ? 0.6 : 0)), y(row) - y(row + 1));
    });
  });
  ctx.fillStyle = color("muted");
  ctx.font = FONT;
  ctx.textAlign = "center";
  for (const at of ticks(0, heat.last, width / 90)) if (x(at) < width - 14) ctx.fillText(showAt(at), x(at), height - 6);
  ctx.textAlign = "right";
  const top = heat.edges[Math.min(heat.rows, heat.edges.length - 1)];
  for (const value of splitLog(Math.max(1e-6, heat.edges[0]), top, 9)) ctx.fillText(showS(value), x(0) - 7, y(rowOf(heat.edges, value)) + 4);
  ctx.strokeStyle = color("muted");
  ctx.setLineDash([4, 4]);
  for (const at of heat.window) {
    ctx.beginPath();
    ctx.moveTo(x(at), y(0));
    ctx.lineTo(x(at), y(heat.rows));
    ctx.stroke();
  }
}

// Where a latency lies among the rows, and within its row.
function rowOf(edges, value) {
  const row = Math.max(0, edges.findLastIndex((edge) => edge <= value));
  const next = edges[row + 1];
  return row + (next ? Math.log(value / edges[row]) / Math.log(next / edges[row]) : 0);
}

function tellHeat(event, canvas, heat, width, height) {
  const box = canvas.getBoundingClientRect();
  const { left, right, top, bottom } = MARGIN;
  const at = ((event.clientX - box.left - left) / (width - left - right)) * heat.last;
  const row = Math.floor(((height - bottom - (event.clientY - box.top)) / (height - top - bottom)) * heat.rows);
  const column = Math.floor(at / heat.column_s);
  const count = (heat.counts[column] || [])[row];
  if (!count) return "";
  const high = heat.edges[row + 1];
  const range = high ? `${showS(heat.edges[row])} to ${showS(high)}` : `${showS(heat.edges[row])} and more`;
  return `At ${showAt(column * heat.column_s)}: ${count} with a TTFT of ${range}`;
}
