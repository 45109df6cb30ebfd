// What stands above the runs: a sweep, a capacity, a comparison, policies, or what was discovered.
const INKS = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];
const OVERLAID_MOST = INKS.length;

function SearchTop({ search }) {
  return html`<section id="search" aria-label="Summary" class="first">
    <p class="over"><span>${search.title}</span><span>${search.count}</span></p>
    <h1>${tie(search.headline)}</h1>
    <${Remarks} remarks=${search.remarks} />
  </section>`;
}

function RunTable({ search, onPick }) {
  if (!search.table.length) return null;
  const isJudged = (row) => row.verdict || row.client !== "VALID";
  // A verdict has a line of its own below its figures: beside them there is no room for words.
  return html`<div class="card wide"><table class="data cards runs">
    <thead><tr><th>run</th>${search.columns.map((name) => html`<th>${name}</th>`)}</tr></thead>
    ${search.table.map((row, n) => html`<tbody>
      <tr><th scope="rowgroup"><button onClick=${() => onPick(n)}>${row.label}</button></th>
        ${row.cells.map((cell, at) => html`<td data-name=${search.columns[at]}>${cell}</td>`)}</tr>
      ${isJudged(row) && html`<tr class="told"><td colspan=${row.cells.length + 1}>
        ${row.verdict && html`<span class="sign ${row.tone}" aria-hidden="true">${SIGNS[row.tone]}</span> ${row.verdict}`}
        ${row.client !== "VALID" && html` <span class="badge ${VALIDITY_TONES[row.client]}">client ${row.client}</span>`}</td></tr>`}
    </tbody>`)}</table></div>`;
}

// The change of each figure as an interval around nothing.
function Forest({ bounds, tone, most }) {
  const at = (value) => 50 + (50 * Math.max(-most, Math.min(most, value))) / most;
  const [low, value, high] = bounds;
  return html`<svg class="bullet" viewBox="0 0 100 26" preserveAspectRatio="none" aria-hidden="true" style=${{ minWidth: "150px" }}>
    <line x1="50" x2="50" y1="1" y2="25" stroke="var(--muted)" stroke-dasharray="3 2" vector-effect="non-scaling-stroke" />
    ${low != null && high != null && html`<rect x=${at(low)} y="9" width=${Math.max(0.6, at(high) - at(low))} height="8" fill="var(--${tone})" opacity=".4" />`}
    <line x1=${at(value)} x2=${at(value)} y1="5" y2="21" stroke="var(--${tone})" stroke-width="3" vector-effect="non-scaling-stroke" />
  </svg>`;
}

function Differences({ search, figures }) {
  if (!search.differences.length) return null;
  const ends = search.differences.flatMap(({ bounds }) => bounds.filter((each) => each != null).map(Math.abs));
  const most = Math.min(2, Math.max(0.02, ...ends) * 1.1);
  const inks = { good: "good", bad: "bad", doubt: "doubt", note: "muted" };
  return html`<${Section} id="differences" short="Differences" title=${figures.differences[0]} lead=${`${search.labels[1]} against ${search.labels[0]}; the middle line is no change. ${search.differences_note}`}>
    <div class="card wide"><table class="data cards changes">
      <thead><tr><th>figure</th><th>${search.labels[0]}</th><th>${search.labels[1]}</th><th>change</th><th class="text"></th><th class="text">verdict</th></tr></thead>
      <tbody>${search.differences.map((each) => html`<tr>
        <th scope="row">${each.figure}</th><td data-name=${search.labels[0]}>${each.before}</td><td data-name=${search.labels[1]}>${each.after}</td>
        <td data-name="change">${each.change}<small>${each.ends}</small></td>
        <td class="text"><${Forest} bounds=${each.bounds} tone=${inks[each.tone]} most=${most} /></td>
        <td class="text" title=${each.why}><span class="badge ${each.tone}">${each.verdict}</span></td></tr>`)}</tbody>
    </table></div>
    <p class="def gap">${figures.differences[1]}${search.pairs && " " + figures.pairs[1]}</p>
  <//>`;
}

function Wins({ pairs, labels }) {
  if (!pairs || !pairs.wins.length) return null;
  return html`<${Section} id="pairs" short="Pairs" title="Pair by pair" lead=${`${pairs.shown} of windows with the same load, in turn; which of the two was better in how many.`}>
    <div class="card wide"><table class="data wins">
      <thead><tr><th>figure</th><th>${labels[0]}</th><th>${labels[1]}</th><th>neither</th></tr></thead>
      <tbody>${pairs.wins.map((each) => html`<tr><th scope="row">${each.figure}</th><td>${each.a}</td><td>${each.b}</td><td>${each.ties}</td></tr>`)}</tbody>
    </table></div>
  <//>`;
}

function Overlaid({ runs, figures }) {
  const some = spreadOut(runs, OVERLAID_MOST);
  const names = ["ttft", "icl", "tpot", "e2e"].filter((name) => some.filter((run) => run.cdfs[name]).length > 1);
  if (!names.length) return null;
  const lead = some.length < runs.length ? `${some.length} of the ${runs.length} runs. ` : "";
  return html`<${Section} id="overlaid" short="All latencies" title="Latencies of all runs" lead=${lead + "The share of the values that are no longer than that."}>
    <div class="grid">${names.map((name) => html`<${CdfChart} key=${name} id="all" title=${figures[name][0]} meaning=${figures[name][1]}
      curves=${some.map((run, n) => ({ label: run.label, ink: INKS[n], cdf: run.cdfs[name] })).filter(({ cdf }) => cdf)} />`)}</div>
  <//>`;
}

function spreadOut(values, most) {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, n) => values[Math.round((n * (values.length - 1)) / (most - 1))]);
}

function AllLedgers({ runs, figures }) {
  const rows = runs.filter((run) => run.ledger).map((run) => ({ name: run.label, ledger: run.ledger }));
  if (rows.length < 2) return null;
  return html`<${Section} id="ledgers" short="All ledgers" title=${figures.ledger[0] + ", run by run"} lead=${(rows[0].ledger.is_timed ? figures.ledger : figures.ledger_client)[1]}>
    <div class="card"><${Keys} ledger=${rows[0].ledger} /><${Stack} rows=${rows} value="mean" /></div>
  <//>`;
}

function Discovered({ endpoints }) {
  return endpoints.map((each, n) => html`<${Section} id=${"endpoint-" + n} title=${each.name} lead=${each.model}>
    <div class="card wide"><table class="data">
      <thead><tr><th>what</th><th class="text">found</th><th class="text"></th></tr></thead>
      <tbody>${each.rows.map(([name, value, more]) => html`<tr><th scope="row">${name}</th><td class="text"><strong>${value}</strong></td><td class="more">${more}</td></tr>`)}</tbody>
    </table>${each.notes.map((note) => html`<p class="def gap">${note}</p>`)}</div>
  <//>`);
}

function SearchParts({ search, runs, figures, onPick }) {
  return html`
    ${search.curve && html`<${Section} id="curve" short="Curve" title="Throughput and latency"><${Curve} curve=${search.curve} onPick=${onPick} figures=${figures} /><//>`}
    ${search.table.length > 0 && html`<${Section} id="runs" title="Runs" lead="Choose one to see all of it below."><${RunTable} search=${search} onPick=${onPick} /><//>`}
    <${Differences} search=${search} figures=${figures} />
    <${Wins} pairs=${search.pairs} labels=${search.labels} />
    <${Overlaid} runs=${runs} figures=${figures} />
    <${AllLedgers} runs=${runs} figures=${figures} />
    <${Discovered} endpoints=${search.discovered} />`;
}
