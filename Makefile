# Commands with more to them than cargo.

.PHONY: power-cut

# Twenty simulated power cuts instead of the two in the suite. Needs root, losetup and ext4.
power-cut:
	HOOKWELL_POWER_CUT_ROUNDS=20 cargo test --test it power_cut -- --nocapture
