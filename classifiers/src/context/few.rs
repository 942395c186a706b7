//! A set that remembers the first few things and then only that there are more.

/// At most `N` different things, by value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Few<T, const N: usize> {
    things: [T; N],
    len: u8,
}

impl<T: Copy + PartialEq + Default, const N: usize> Few<T, N> {
    /// None.
    pub(crate) fn new() -> Self {
        const { assert!(N < 256) }
        Self { things: [T::default(); N], len: 0 }
    }

    /// Takes in a thing; the thing after the last that has room is forgotten.
    pub(crate) fn insert(&mut self, thing: T) {
        let len = usize::from(self.len);
        if len < N && !self.things[..len].contains(&thing) {
            self.things[len] = thing;
            self.len += 1;
        }
    }

    /// How many different things, `N` for `N` or more.
    pub(crate) const fn count(&self) -> u8 {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn different_things_are_counted_up_to_the_room_there_is() {
        let mut few = Few::<u32, 3>::new();
        for thing in [7, 7, 8, 7, 9, 10, 11] {
            few.insert(thing);
        }
        assert_eq!(few.count(), 3);
    }
}
