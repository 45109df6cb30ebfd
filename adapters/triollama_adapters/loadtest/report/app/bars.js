// Bars: where the time goes, an objective beside its limit, models over time.
function Stack({ rows, value }) {
  const shown = rows.filter((row) => row.ledger);
  if (!shown.length) return null;
  const total = (ledger) => ledger.terms.reduce((sum, term) => sum + term[value], 0);
  const most = Math.max(...shown.map(({ ledger }) => total(ledger))) || 1;
  return html`<div class="stack">
    ${shown.map(({ name, ledger }) => {
      const told = ledger.terms.filter((term) => term[value] > 0).map((term) => `${report.terms[term.key][0]} ${showS(term[value])}`).join(", ");
      return html`
        <span class="name">${name}</span>
        <span class="track" role="img" aria-label=${`${name}: ${told}`}>
          ${ledger.terms.map((term) => {
            const share = (100 * term[value]) / most;
            return share > 0 && html`<span title=${`${report.terms[term.key][0]}: ${showS(term[value])}`} style=${{ width: share + "%", background: `var(--t-${term.key})` }}>${share > 11 ? showS(term[value]) : ""}</span>`;
          })}
        </span>
        <span class="total">${showS(total(ledger))}</span>`;
    })}
  </div>`;
}

function Keys({ ledger }) {
  return html`<div class="over gap">
    ${ledger.terms.map((term) => html`<span><i class="dot" style=${{ background: `var(--t-${term.key})` }}></i>${report.terms[term.key][0]}</span>`)}
  </div>`;
}

function LedgerTable({ ledger }) {
  return html`<div class="wide"><table class="data">
    <thead><tr><th>term</th><th>mean</th><th>share</th><th>p95</th><th class="text">what it is</th></tr></thead>
    <tbody>${ledger.terms.map((term) => html`<tr>
      <th scope="row"><i class="dot" style=${{ background: `var(--t-${term.key})` }}></i>${report.terms[term.key][0]}</th>
      <td>${term.mean_shown}</td><td>${term.share}</td><td>${term.p95_shown}</td>
      <td class="more">${report.terms[term.key][1]}</td></tr>`)}
      <tr><th scope="row">all together</th><td>${ledger.total}</td><td>100 %</td><td></td>
      <td class="more">The mean response E2E of ${ledger.count} ${ledger.count === "1" ? "answer" : "answers"}. Percentiles of the terms do not add up.</td></tr>
    </tbody></table></div>`;
}

// The interval of a figure as a band, the figure as a stroke, the limit as a line.
function Bullet({ objective }) {
  const { value, low, high, limit, met } = objective;
  if (value == null || limit == null) return html`<span class="muted">${NOTHING}</span>`;
  const most = Math.max(limit, high ?? value, value) * 1.25 || 1;
  const at = (v) => (100 * v) / most;
  const ink = { met: "good", missed: "bad", undetermined: "doubt" }[met];
  return html`<svg class="bullet" viewBox="0 0 100 26" preserveAspectRatio="none" role="img"
      aria-label=${`${objective.shown}, limit ${objective.limit_shown}`}>
    <rect x="0" y="8" width=${at(limit)} height="10" fill="var(--soft)" />
    <rect x="0" y="11" width=${at(value)} height="4" fill="var(--${ink})" opacity=".45" />
    ${low != null && high != null && html`<rect x=${at(low)} y="7" width=${Math.max(0.5, at(high) - at(low))} height="12" fill="var(--${ink})" opacity=".4" />`}
    <line x1=${at(value)} x2=${at(value)} y1="4" y2="22" stroke="var(--${ink})" stroke-width="3" vector-effect="non-scaling-stroke" />
    <line x1=${at(limit)} x2=${at(limit)} y1="1" y2="25" stroke="var(--ink)" stroke-width="1.5" stroke-dasharray="3 2" vector-effect="non-scaling-stroke" />
  </svg>`;
}

// Which model was loaded where and when.
function Lanes({ lanes, last }) {
  return html`<div>
    ${lanes.map((lane) => html`<div class="lane">
      <span><strong>${lane.model}</strong><br /><span class="muted">${lane.endpoint}</span></span>
      <span class="track" role="img" aria-label=${`${lane.model} on ${lane.endpoint}: ` + lane.spans.map((span) => `${showAt(span.from)} to ${showAt(span.to)}, ${span.size}`).join("; ")}>
        ${lane.spans.map((span) => html`<span title=${`${showAt(span.from)} to ${showAt(span.to)}: ${span.size}`}
          style=${{ left: (100 * span.from) / last + "%", width: (100 * (span.to - span.from)) / last + "%" }}>${span.size}</span>`)}
      </span></div>`)}
    <div class="lane"><span></span><span class="ticks">
      ${ticks(0, last, 6).map((at) => html`<span style=${{ left: (100 * at) / last + "%" }}>${showAt(at)}</span>`)}
    </span></div>
  </div>`;
}
