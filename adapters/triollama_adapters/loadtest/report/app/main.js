// The page: its data, its frame, and which run is shown.
const report = JSON.parse(document.getElementById("data").textContent);
const THEME_WORDS = { auto: "theme: auto", light: "theme: light", dark: "theme: dark" };

function ThemeButton() {
  const [theme, setTheme] = useState(chosen);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  const turn = () => (chooseTheme(next), setTheme(next));
  return html`<button id="theme" onClick=${turn} aria-label=${`${THEME_WORDS[theme]}; change to ${next}`}>${THEME_WORDS[theme]}</button>`;
}

// Links to all sections that are there; the one in sight is marked.
function Nav({ shown }) {
  const [links, setLinks] = useState([]);
  const [here, setHere] = useState("");
  useEffect(() => {
    const sections = [...document.querySelectorAll("main section[id]")];
    setLinks(sections.map((each) => [each.id, each.dataset.short || (each.id === "summary" && report.search ? "This run" : "Summary")]));
    const look = new IntersectionObserver(
      (seen) => seen.forEach((each) => each.isIntersecting && setHere(each.target.id)),
      { rootMargin: "-60px 0px -75% 0px" },
    );
    sections.forEach((each) => look.observe(each));
    return () => look.disconnect();
  }, [shown]);
  return html`<nav class="nav" aria-label="Sections">${links.map(([id, name]) => html`<a href=${"#" + id} aria-current=${id === here ? "true" : undefined}>${name}</a>`)}</nav>`;
}

function Run({ run, figures, index }) {
  return html`
    <${Summary} run=${run} isOnly=${!report.search} />
    <${Verdict} run=${run} />
    <${Objectives} run=${run} figures=${figures} />
    <${OverTime} run=${run} figures=${figures} />
    <${Latencies} run=${run} figures=${figures} index=${index} />
    <${LedgerPart} run=${run} figures=${figures} />
    <${Endpoints} run=${run} />
    <${Errors} run=${run} figures=${figures} />
    <${Events} run=${run} />
    <${Machines} run=${run} />
    <${Repeat} run=${run} />`;
}

function Page() {
  const { search, runs, figures } = report;
  const [index, setIndex] = useState(search ? search.shown : 0);
  const pick = (n) => {
    setIndex(n);
    document.getElementById("summary").scrollIntoView();
  };
  const run = runs[index];
  return html`
    <a class="skip" href="#main">Skip to the report</a>
    <header class="bar"><div class="bar-in">
      <span class="mark">tri<i>ollama</i></span>
      <${Nav} shown=${index} />
      ${runs.length > 1 && html`<select aria-label="Run shown" value=${index} onChange=${(event) => pick(Number(event.target.value))}>
        ${runs.map((each, n) => html`<option value=${n} selected=${n === index}>${each.label}</option>`)}</select>`}
      <${ThemeButton} />
    </div></header>
    <main class="all" id="main">
      ${search && html`<${SearchTop} search=${search} /><${SearchParts} search=${search} runs=${runs} figures=${figures} onPick=${pick} />`}
      ${run && html`<${Run} run=${run} figures=${figures} index=${index} />`}
      <footer>Made by triollama. This page holds all of its data and asks nobody for more. Charts by uPlot (MIT), with preact (MIT) and htm (Apache 2.0).</footer>
    </main>`;
}

applyTheme();
const app = document.getElementById("app");
app.replaceChildren();
render(html`<${Page} />`, app);
