"""What a run found, for people: a page, Markdown, a table for a terminal, CSV.

Who may import whom, top to bottom: `page`, `markdown`, `table`, `rows` and `write` are what others
use; `facts`, `verdicts`, `compared` and `curves` turn findings into what a page shows, `brief` into
what a terminal and an issue have room for; `searches`, `changes`, `discovered`, `settings`,
`remarks` and `words` say them in sentences; `thinning`, `definitions`, `meters` and `units` are
at the bottom. All but `write` is without IO, and nothing here looks at a request: a result has
histograms only, so a report takes as long for a million requests as for a hundred.

`app` is the page's own script and style; `vendor` holds two libraries with their licences.
"""
