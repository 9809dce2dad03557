"""A stand-in of the Azure ML v1 service on loopback, for the real SDK to talk to in tests.

`fixture.azure` is the way in for tests: it starts the server once, empties it for each test and
gives its `Service`. The layers, lowest first: `authority`, `proxy` (HTTPS on loopback), `message`,
`routing`, `faults`; `state` (what the service holds); `routes` (one module a service); `service`
(all of it together); `graphs`, `execution` (reading and really running what was submitted).
"""
