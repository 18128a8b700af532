"""The object model of a program: what it declares, and what that resolves to. No I/O, no event loop, no threads.

Programs and every room above enter; it uses `profiling` for the spans of functions, `support` and `errors`. Read in
this order: `addressable`, `streams` and `relays` (what has an address), `settings` and `state`,
`decorators` and `declarations` (what a class says), `component`, `unit` and `collection` (what an instance holds),
`bindings` (a function's streams), then `endpoints`, `processes` and `crawl` (from components to plain data), and
`metadata` (what is told to the graph server).
"""
