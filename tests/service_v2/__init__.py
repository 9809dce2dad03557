"""A stand-in of Azure ML v2 on loopback, for the real azure-ai-ml to talk to in tests.

It is the stand-in of v1 (`tests.service`) with what v2 adds at Azure Resource Manager in front: environments, data,
code, components, datastores, jobs and schedules. Both have one workspace, one storage and one run history, as on Azure.

A test asks for the fixture `azure_v2` (see `fixture`). After: `azure_v2.assets` are the versioned assets, `jobs` the
submitted jobs, `schedules` the schedules (`state`); the rest is as in `tests.service`. Bodies are checked with the
client's own models (`contract`). Where Azure's behaviour is not known it is said so at the spot.
A test that adds to `azure_v2.quirks` has a service that behaves otherwise there.
"""
