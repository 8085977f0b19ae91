"""Every benchmark, the short ones first."""

from benchmarks import (
    fresh_account,
    local_cloud_load,
    mixed_requests,
    nothing_to_do,
    numbers_of_machines,
    preflight,
    process_machines,
    start_overhead,
    swaps,
    through_the_guard,
    until_it_runs,
)
from tests.support.signals import let_signals_arrive

let_signals_arrive()
fresh_account.main()
preflight.main()
process_machines.main()
mixed_requests.main()
local_cloud_load.main()
nothing_to_do.main()
numbers_of_machines.main()
start_overhead.main()
until_it_runs.main()
swaps.main()
through_the_guard.main()
