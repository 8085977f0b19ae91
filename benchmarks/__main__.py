"""Every benchmark, the short ones first."""

from benchmarks import nothing_to_do, numbers_of_machines

nothing_to_do.main()
numbers_of_machines.main()
