//! E10, learned: how a device writes resets, from those that it is proved to have sent.
//!
//! A *style* is what is left of a reset when everything that depends on its connection is taken away.
//! Where packets prove a device (it answered too soon, its victim lived on, it sits elsewhere), the
//! style and the distance are remembered, and then speak for resets without a proof of their own,
//! provided no endpoint here writes in that style.

use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;

use flowtable::{Marks, Watch};
use wire::Address;

use crate::context::bounded::Bounded;
use crate::context::few::Few;
use crate::verdict::Ruling;
use crate::vocabulary::{Clue, Origin, Role};
use crate::weights::{Rows, rows_where};

/// What a learned style tells of a reset written in it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StyleFacts {
    /// Resets in this style, from this distance, that a device is proved to have sent.
    pub proven: u32,
    /// Hosts in whose names they were; 4 or more.
    pub senders: u8,
}

/// How a reset is written, apart from its connection; 14 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Style {
    flags: u16,
    window: Field,
    identification: Field,
    traffic_class: u8,
    marks: u8,
    has_options: bool,
}

/// A field, by where its value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Zero,
    /// The named sender's own, or what follows it.
    Own,
    /// Copied from the receiver.
    Copied,
    /// This value.
    Fixed(u16),
    /// Some other value.
    Other,
}

/// The styles of a run.
#[derive(Debug)]
pub(crate) struct Styles {
    devices: Bounded<(Style, u8), Proven>,
    /// Resets of each style that their named senders sent.
    genuine: Bounded<Style, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Proven {
    resets: u32,
    senders: Few<Address, 4>,
}

impl Styles {
    pub(crate) fn new() -> Self {
        Self { devices: Bounded::new(DEVICES_MAX), genuine: Bounded::new(STYLES_MAX) }
    }

    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<(Style, u8), Proven>::memory_bytes(DEVICES_MAX)
            + Bounded::<Style, u32>::memory_bytes(STYLES_MAX)
    }

    /// Learns from a reset whose sender its own connection proves, one way or the other.
    pub(crate) fn learn(&mut self, watch: &Watch, verdict: &Ruling) {
        if verdict.role != Role::Primary {
            return;
        }
        let sender = watch.key.sender(watch.direction).address;
        let (is_device, is_genuine) = (is_proven_device(verdict), is_proven_genuine(verdict));
        for style in Style::readings(watch) {
            if is_device {
                let new = || Proven { resets: 0, senders: Few::new() };
                let proven = self.devices.entry((style, watch.reset.hop_limit), new);
                proven.resets = proven.resets.saturating_add(1);
                proven.senders.insert(sender);
            } else if is_genuine {
                let count = self.genuine.entry(style, || 0);
                *count = count.saturating_add(1);
            }
        }
    }

    /// What the style of a reset tells.
    pub(crate) fn ask(&self, watch: &Watch) -> Option<StyleFacts> {
        Style::readings(watch).into_iter().find_map(|style| {
            let proven = self.devices.peek(&(style, watch.reset.hop_limit))?;
            let genuine = self.genuine.peek(&style).copied().unwrap_or(0);
            // One proof in a hundred may be wrong; one endpoint in a hundred speaks against the style.
            let discriminates = u64::from(genuine) * 100 <= u64::from(proven.resets);
            let is_known = proven.resets >= PROVEN_MIN && proven.senders.count() >= SENDERS_MIN;
            (is_known && discriminates)
                .then_some(StyleFacts { proven: proven.resets, senders: proven.senders.count() })
        })
    }
}

impl Style {
    /// The style of a reset, first with identification and window taken as fixed values (devices
    /// that always write 242), then as any.
    pub(crate) fn readings(watch: &Watch) -> [Self; 2] {
        let fixed = Self::of(watch);
        [fixed, fixed.loose()]
    }

    fn of(watch: &Watch) -> Self {
        let (reset, before) = (&watch.reset, &watch.before);
        let (from, to) = (before.side(watch.direction), before.side(watch.direction.opposite()));
        let receiver = watch.direction.opposite();
        let window = match reset.window {
            0 => Field::Zero,
            own if from.packets > 0 && own == from.window => Field::Own,
            theirs if to.packets > 0 && theirs == to.window => Field::Copied,
            value => Field::Fixed(value),
        };
        let identification = match reset.ip_id {
            0 => Field::Zero,
            id if from.packets > 0 && id.wrapping_sub(from.ip_id) <= 8 => Field::Own,
            id if to.packets > 0 && (id == to.ip_id || id == before.syn_ip_id(receiver)) => {
                Field::Copied
            }
            value => Field::Fixed(value),
        };
        let kept = Marks::V6.0 | Marks::DF.0 | Marks::SIGNED.0 | Marks::BAD_CHECKSUM.0;
        Self {
            flags: reset.flags.0,
            window,
            identification,
            traffic_class: reset.traffic_class & 0xfc,
            marks: reset.marks.0 & kept,
            has_options: reset.layout != 0,
        }
    }

    /// With any values where they were fixed.
    pub(crate) const fn loose(self) -> Self {
        Self { window: self.window.loose(), identification: self.identification.loose(), ..self }
    }
}

/// Hashed as one number, not field by field.
impl Hash for Style {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let fields = [self.window, self.identification].map(Field::number);
        let rest = u32::from(self.traffic_class) << 16
            | u32::from(self.marks) << 8
            | u32::from(self.has_options);
        state.write_u128(
            u128::from(fields[0]) << 88
                | u128::from(fields[1]) << 64
                | u128::from(self.flags) << 32
                | u128::from(rest),
        );
    }
}

impl Field {
    /// A number of 19 bits, of every field another.
    const fn number(self) -> u32 {
        match self {
            Self::Zero => 0,
            Self::Own => 1,
            Self::Copied => 2,
            Self::Other => 3,
            Self::Fixed(value) => 1 << 18 | value as u32,
        }
    }

    const fn loose(self) -> Self {
        match self {
            Self::Fixed(_) => Self::Other,
            field => field,
        }
    }
}

/// A device sent it, and a single piece of its own packets says so.
fn is_proven_device(ruling: &Ruling) -> bool {
    const PROVE: Rows = rows_where!(|weight| {
        matches!(weight.clue, Clue::Hops | Clue::Causality | Clue::AliveAfter | Clue::Port)
            && weight.decibans <= PROOF
    });
    ruling.origin.is_device() && ruling.rows.meets(PROVE)
}

/// Its named sender sent it, and its own distance, counter or clock says so.
fn is_proven_genuine(ruling: &Ruling) -> bool {
    const PROVE: Rows = rows_where!(|weight| {
        matches!(weight.clue, Clue::Hops | Clue::IpId | Clue::Timestamps) && weight.decibans > 2.0
    });
    matches!(ruling.origin, Origin::Client | Origin::Server)
        && ruling.origin_confidence >= 0.9
        && ruling.rows.meets(PROVE)
}

/// Weight of a clue that decides by itself whether a device sent a reset.
const PROOF: f32 = -15.0;
/// Fewer proofs may all come of one mistake.
const PROVEN_MIN: u32 = 3;
/// One host that looks odd is not a device.
const SENDERS_MIN: u8 = 2;
const DEVICES_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
const STYLES_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

#[cfg(test)]
mod tests {
    use super::Styles;
    use crate::context::scene::Scene;

    fn scene(server: u8) -> Scene {
        Scene { server: [192, 0, 2, server], port: 40_000 + u16::from(server), ..Scene::NEW }
    }

    /// A reset in a device's style without a proof of its own: of a host as far away as the device.
    fn unproved() -> Scene {
        Scene { hop_limit: 61, reset_id: 4_000, ..scene(99) }
    }

    fn learn(styles: &mut Styles, scene: &Scene) {
        let (watch, verdict) = scene.reset();
        styles.learn(&watch, &verdict);
    }

    #[test]
    fn a_proved_device_is_known_again_by_its_style() {
        let mut styles = Styles::new();
        for server in 1..=3 {
            assert_eq!(styles.ask(&unproved().reset().0), None);
            learn(&mut styles, &Scene { reset_id: 900 * u16::from(server), ..scene(server) });
        }
        let facts = styles.ask(&unproved().reset().0).expect("known by now");
        assert_eq!((facts.proven, facts.senders), (3, 3));
        let elsewhere = Scene { reset_hop_limit: 58, ..unproved() };
        assert_eq!(styles.ask(&elsewhere.reset().0), None);
        let otherwise = Scene { reset_window: 500, ..unproved() };
        assert_eq!(styles.ask(&otherwise.reset().0), None);
    }

    #[test]
    fn a_style_in_which_hosts_here_write_too_says_nothing() {
        let mut styles = Styles::new();
        let genuine = Scene { hop_limit: 50, reset_hop_limit: 50, reset_id: 9_000, ..scene(7) };
        learn(&mut styles, &genuine);
        for server in 1..=20 {
            learn(&mut styles, &Scene { reset_id: 900 * u16::from(server), ..scene(server) });
        }
        assert_eq!(styles.ask(&unproved().reset().0), None);
    }

    #[test]
    fn one_host_that_looks_odd_is_no_device() {
        let mut styles = Styles::new();
        for id in 1..=10 {
            learn(&mut styles, &Scene { reset_id: 900 * id, ..scene(1) });
        }
        assert_eq!(styles.ask(&unproved().reset().0), None);
    }
}
