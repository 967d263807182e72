"""Pictures in, samples out: the store, the datasets, the blur simulator and the packers. Workers stay on the CPU."""
