"""Other load testers beside ours, against the same simulated server, which knows the truth.

Each is asked for the same: so many users at once, so many requests, streams. What it then says of
TTFT, ICL, TPOT and E2E is held against the server's log (`benchmarks.load_truth`). The tools live
in environments of their own, outside of this tree::

    for tool in guidellm aiperf locust vllm; do
        python3 -m venv tools/$tool && tools/$tool/bin/pip install $tool
    done
    .venv/bin/python -m benchmarks.load_tools --tools tools --streams 100

A tool without an environment is left out. None of them needs a network: prompts and the tokenizer
are made here.
"""
