// The sections of one run, in the order of what a reader wants to know.
const SIGNS = { good: "\u2713", bad: "!", doubt: "?", note: "i" };
const MET_TONES = { met: "good", missed: "bad", undetermined: "doubt" };
const VALIDITY_TONES = { VALID: "good", DEGRADED: "doubt", INVALID: "bad" };
const PART_COLUMNS = ["due", "answered", "tokens", "TTFT p50", "TTFT p95", "TPOT p95", "E2E p95", "failed"];

function Remarks({ remarks }) {
  return html`<ul class="remarks">
    ${remarks.map(([tone, text]) => html`<li class=${tone}><span class="sign" aria-hidden="true">${SIGNS[tone]}</span><span>${tie(text)}</span></li>`)}
  </ul>`;
}

// A name with its definition behind a sign, and in print beside it.
function Named({ name, meaning }) {
  return html`<details class="what"><summary><span>${name}</span><i aria-label="what is this">?</i></summary><p class="def">${meaning}</p></details>`;
}

function Section({ id, title, short, lead, children }) {
  return html`<section id=${id} data-short=${short || title} aria-labelledby=${id + "-title"}>
    <h2 id=${id + "-title"}>${title}</h2>
    ${lead && html`<p class="lead">${lead}</p>`}
    ${children}
  </section>`;
}

function Summary({ run, isOnly }) {
  const plan = Object.fromEntries(run.plan);
  return html`<section id="summary" aria-label="Summary" class="first">
    <p class="over"><span>${run.name}</span><span>${plan.load}</span><span>${plan.endpoints}</span></p>
    ${isOnly ? html`<h1>${tie(run.headline)}</h1>` : html`<h2>${run.label}: ${tie(run.headline)}</h2>`}
    <${Remarks} remarks=${run.remarks} />
    <div class="tiles">
      ${run.tiles.map((tile) => html`<div class="card tile">
        <${Named} name=${tile.title} meaning=${tile.meaning} />
        <div class="value">${tile.value}<small>${tile.unit}</small></div>
        <div class="below">${tie(tile.below)}</div>
      </div>`)}
    </div>
  </section>`;
}

function Verdict({ run }) {
  const { validity, reasons, meaning, facts } = run.verdict;
  return html`<${Section} id="client" short="Client" title="Was the client the bottleneck?" lead=${meaning}>
    <div class="card">
      <p><span class="badge ${VALIDITY_TONES[validity]}">${validity}</span> ${reasons.join("; ")}</p>
      <dl class="verdict gap">
        ${facts.map(([name, value, what]) => html`<div>
          <dt><${Named} name=${name} meaning=${what} /></dt><dd>${tie(value)}</dd>
        </div>`)}
      </dl>
    </div>
  <//>`;
}

function Objectives({ run, figures }) {
  if (!run.objectives.length) return null;
  return html`<${Section} id="objectives" title="Objectives"
      lead=${"An objective is met when the whole 95 % interval of its figure is within the limit, missed when all of it is beyond, and undetermined when the limit lies within it. " + figures.attainment[1]}>
    <div class="card">
      ${run.objectives.map((each) => html`<div class="objective">
        <code>${each.text}</code>
        <span class="badge ${MET_TONES[each.met]}">${SIGNS[MET_TONES[each.met]]} ${each.met}</span>
        <span class="bullet-cell"><${Bullet} objective=${each} /></span>
        <span class="told"><strong>${each.shown}</strong> ${each.ends && html`<span class="muted">(${each.ends})</span>`}<br /><span class="muted">${each.why}</span></span>
      </div>`)}
    </div>
  <//>`;
}

function OverTime({ run, figures }) {
  const { series } = run;
  const words = series.is_thinned ? ` Neighbours are put together: of medians the mean, of tails the greatest.` : "";
  const lead = `A point for each ${showS(series.moment_s)}.${words} ${figures.window[1]}${run.events.length ? " Dashed lines are events, told below." : ""} Drag over a chart to look closer, double click to see all.`;
  const both = (what) => [
    { column: series[what + "_p50_s"], label: "p50", ink: "c1" },
    { column: series[what + (what === "icl" ? "_p99_s" : "_p95_s")], label: what === "icl" ? "p99" : "p95", ink: "c2" },
  ];
  return html`<${Section} id="time" title="Over time" lead=${lead}>
    <div class="grid">
      <${TimeChart} run=${run} title="Requests per second" show=${showRate} meaning="Due, sent, and answered well. Where answered stays below due, the queue grows."
        lines=${[{ column: series.sent, label: "sent", ink: "c6" }, { column: series.offered, label: "due", ink: "c8", dash: true }, { column: series.completed, label: "answered", ink: "c1" }]} />
      <${TimeChart} run=${run} title="Time to first token" show=${showS} meaning=${figures.ttft[1]} lines=${both("ttft")} />
      <${TimeChart} run=${run} title="Requests under way" show=${showCount} meaning="Sent and neither answered nor failed, at the end of each moment." lines=${[{ column: series.in_flight, label: "under way", ink: "c5", fill: true }]} />
      <${TimeChart} run=${run} title="End to end" show=${showS} meaning=${figures.e2e[1]} lines=${both("e2e")} />
      <${TimeChart} run=${run} title="Output tokens per second" show=${showCount} meaning="Tokens received in each moment." lines=${[{ column: series.output_tokens, label: "tokens/s", ink: "c3", fill: true }]} />
      <${TimeChart} run=${run} title="Inter-chunk latency" show=${showS} meaning=${figures.icl[1]} lines=${both("icl")} />
      <${TimeChart} run=${run} title="Failures per second" show=${showRate} top=${0.5} meaning="By when the request was due." lines=${[{ column: series.errors, label: "failed", ink: "c7", fill: true, step: true }]} />
      <${TimeChart} run=${run} title="Start delay" show=${showS} meaning=${figures.start_delay[1]} lines=${[{ column: series.start_delay_max_s, label: "longest", ink: "c8" }]} />
    </div>
    <${HeatMap} run=${run} figure=${figures.heat} />
  <//>`;
}

function Latencies({ run, figures, index }) {
  const names = Object.keys(run.cdfs);
  return html`<${Section} id="latency" title="Latencies" lead=${"The share of the values that are no longer than that. " + figures.percentile[1]}>
    <div class="grid">
      ${names.map((name) => html`<${CdfChart} key=${name + index} id=${index} title=${figures[name][0]} meaning=${figures[name][1]} limit=${run.limits[name]} curves=${[{ label: "share", ink: "c1", cdf: run.cdfs[name] }]} />`)}
    </div>
    <div class="card gap wide"><table class="data">
      <thead><tr><th>latency</th><th>count</th><th>mean</th><th>p50</th><th>p90</th><th>p95</th><th>p99</th><th>p99.9</th><th>longest</th></tr></thead>
      <tbody>${run.latencies.map((row) => html`<tr>
        <th scope="row" title=${row.meaning}>${row.short}</th><td>${row.count}</td><td>${row.mean}</td>
        ${row.percentiles.map(([value, ends]) => html`<td class=${value === "too few" ? "muted" : ""}>${value}<small>${ends}</small></td>`)}
        <td>${row.most}</td></tr>`)}</tbody>
    </table></div>
    <div class="card gap"><h3>Which is which</h3>
      <dl class="pairs">${run.latencies.map((row) => html`<dt>${row.short}</dt><dd>${row.meaning}</dd>`)}</dl></div>
  <//>`;
}

function LedgerPart({ run, figures }) {
  const { ledger } = run;
  if (!ledger) return null;
  const rows = [{ name: "all", ledger }, ...(run.endpoints.length > 1 ? run.endpoints : []), ...(run.scenarios.length > 1 ? run.scenarios : [])];
  return html`<${Section} id="ledger" short="Ledger" title=${figures.ledger[0]} lead=${(ledger.is_timed ? figures.ledger : figures.ledger_client)[1]}>
    <div class="card">
      <h3>Mean of each term</h3>
      <${Keys} ledger=${ledger} />
      <${Stack} rows=${rows} value="mean" />
      <div class="gap"><${LedgerTable} ledger=${ledger} /></div>
      ${ledger.is_timed ? html`<p class="def gap">Overhead is ${ledger.overhead} per request${ledger.is_calibrated ? ", measured with one request at a time" : ", as far as it can be told: it was not measured with one request at a time"}. ${
        `A second estimate of the wait disagreed for ${ledger.disagreeing} of the answers${ledger.is_trusted ? "" : ": do not rely on the terms"}. ` +
        `${ledger.cold} waited for a load of the model, ${ledger.reloads} of them though it was loaded. ${ledger.note}`}</p>` : html`<p class="def gap">${ledger.note}</p>`}
    </div>
  <//>`;
}

function PartTable({ parts, what }) {
  return html`<div class="card wide"><table class="data">
    <thead><tr><th>${what}</th>${PART_COLUMNS.map((name) => html`<th>${name}</th>`)}</tr></thead>
    <tbody>${parts.map((part) => html`<tr><th scope="row">${part.name}</th>${part.cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

function Endpoints({ run }) {
  if (!run.endpoints.length) return null;
  return html`<${Section} id="endpoints" title="Endpoints" lead="What each of them did with its part of the load.">
    <${PartTable} parts=${run.endpoints} what="endpoint" />
    ${run.scenarios.length > 1 && html`<div class="gap"><${PartTable} parts=${run.scenarios} what="scenario" /></div>`}
  <//>`;
}

function Errors({ run, figures }) {
  const most = Math.max(1, ...run.errors.map((each) => each.count));
  return html`<${Section} id="errors" short="Errors" title="Errors and counts" lead=${figures.errors[1] + " " + figures.censored[1]}>
    <div class="grid">
      <div class="card">${run.errors.length === 0
        ? html`<p><span class="badge good">${SIGNS.good} none</span> No request failed.</p>`
        : html`<div class="wide"><table class="data"><thead><tr><th>class</th><th class="text">how many</th></tr></thead>
          <tbody>${run.errors.map((each) => html`<tr><th scope="row">${each.words}<small>${each.kind}</small></th>
            <td class="text"><i class="meter" style=${{ width: 70 * (each.count / most) + "px" }}></i>${showCount(each.count)} <span class="muted">(${each.share})</span>
            ${each.details.map(([text, times]) => html`<small>${times} \u00d7 ${text}</small>`)}</td></tr>`)}</tbody></table></div>`}
      </div>
      <div class="card"><h3>Requests</h3><dl class="pairs">${run.counts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></div>
    </div>
  <//>`;
}

function Events({ run }) {
  if (!run.events.length) return null;
  return html`<${Section} id="events" short="Events" title="Faults and events" lead="Faults that were caused, cold starts, swaps and reloads, and what became of them.">
    <div class="card wide"><table class="data">
      <thead><tr><th>at</th><th class="text">what</th><th class="text">where</th><th class="text">in words</th></tr></thead>
      <tbody>${run.events.map(([at, kind, endpoint, text]) => html`<tr><th scope="row">${showAt(at)}</th><td class="text">${kind}</td><td class="text">${endpoint}</td><td class="more">${text}</td></tr>`)}</tbody>
    </table>${run.events_left_out > 0 && html`<p class="def">${run.events_left_out} more are left out.</p>`}</div>
  <//>`;
}

function Machines({ run }) {
  const { host, loaded, series } = run;
  if (!host && !loaded.length) return null;
  const last = series.at.length ? series.at[series.at.length - 1] + series.moment_s : 1;
  const chart = (title, show, lines, meaning) => html`<${TimeChart} run=${run} isBytes=${show === showBytes} at=${host.at} title=${title} show=${show} meaning=${meaning} lines=${lines} />`;
  return html`<${Section} id="machines" short="Machines" title="Loaded models and this machine">
    ${loaded.length > 0 && html`<div class="card"><h3>Loaded models</h3><p class="def">As the servers told when asked, with the greatest size in VRAM.</p><${Lanes} lanes=${loaded} last=${last} /></div>`}
    ${host && html`<div class="grid gap">
      ${chart("CPU and GPU of this machine", showShare, [{ column: host.cpu, label: "CPU", ink: "c1" }, { column: host.gpu, label: "GPU", ink: "c2" }], "All cores together; the machine that made the load.")}
      ${chart("Memory of this machine", showBytes, [{ column: host.memory_bytes, label: "memory", ink: "c1" }, { column: host.gpu_memory_bytes, label: "GPU memory", ink: "c2" }], "In use at each look.")}
    </div>`}
  <//>`;
}

function Pairs({ title, rows }) {
  return html`<div class="card"><h3>${title}</h3><dl class="pairs">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></div>`;
}

function Repeat({ run }) {
  const copy = (event) => {
    const button = event.currentTarget;
    const done = (word) => ((button.textContent = word), setTimeout(() => (button.textContent = "copy"), 1500));
    navigator.clipboard.writeText(run.command).then(() => done("copied"), () => done("not allowed"));
  };
  return html`<${Section} id="setup" short="Setup" title="How it was run" lead="What was asked for, where it ran, and how to do it again.">
    ${run.command && html`<div class="card"><h3>Do it again</h3><div class="command"><pre tabindex="0">${run.command}</pre><button class="small-button" onClick=${copy}>copy</button></div></div>`}
    <div class="grid gap">
      <${Pairs} title="Plan" rows=${run.plan} />
      <${Pairs} title="Environment" rows=${run.environment} />
      ${run.mix.map(([name, rows]) => html`<${Pairs} title=${"Scenario: " + name} rows=${rows} />`)}
    </div>
  <//>`;
}
