"""Several runs that answer one question: where is the knee, the capacity, the difference.

Who may import whom: `found` holds what is found, as plain values; `steps`, `decide`, `saturation`,
`knees`, `slots` and `speeds` are pure; `sweep`, `capacity`, `ab`, `policies` and `discover` let
runs happen, each through a function that is given to it.
"""
