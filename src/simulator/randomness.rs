//! Random numbers that are the same for the same seed.

/// The random numbers for one thing: the seed, what they are for, and the ordinal of the thing, well mixed.
pub(super) fn sequence(seed: u64, purpose: u64, ordinal: u64) -> fastrand::Rng {
    // The finalizer of splitmix64.
    let mix = |number: u64| {
        let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    };
    fastrand::Rng::with_seed(mix(
        mix(mix(seed).wrapping_add(purpose)).wrapping_add(ordinal)
    ))
}
