//! What is watched as one: an interface, or the two that listen to the two fibres of a link.

use events::Fibre;
use flowtable::TapPort;

/// One link. An optical tap gives each direction of it a port of its own; a mirror port gives both
/// directions together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// How it is called: the names of its interfaces, or what somebody chose.
    pub name: String,
    /// The only interface, or that of the first fibre.
    pub east: xdp::Options,
    /// That of the second fibre.
    pub west: Option<xdp::Options>,
}

impl Link {
    /// A link of one port.
    #[must_use]
    pub fn one(port: xdp::Options) -> Self {
        Self { name: port.interface.clone(), east: port, west: None }
    }

    /// A link of two ports, each of which carries one direction.
    #[must_use]
    pub fn two(east: xdp::Options, west: xdp::Options) -> Self {
        Self { name: format!("{}+{}", east.interface, west.interface), east, west: Some(west) }
    }

    /// A link watched as a tap is: `east` or `east+west`.
    #[must_use]
    pub fn tap(interfaces: &str) -> Self {
        match interfaces.split_once('+') {
            Some((east, west)) => Self::two(xdp::Options::new(east), xdp::Options::new(west)),
            None => Self::one(xdp::Options::new(interfaces)),
        }
    }

    /// Its one or two ports.
    pub fn ports(&self) -> impl Iterator<Item = &xdp::Options> {
        std::iter::once(&self.east).chain(&self.west)
    }

    /// Its one or two ports, to be changed.
    pub fn ports_mut(&mut self) -> impl Iterator<Item = &mut xdp::Options> {
        std::iter::once(&mut self.east).chain(&mut self.west)
    }
}

/// Which port of which link an interface is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Port {
    /// Index of the link.
    pub(crate) link: usize,
    /// 0 for the first fibre and for an interface alone.
    pub(crate) port: TapPort,
    /// Nothing for an interface alone.
    pub(crate) fibre: Option<Fibre>,
}

impl Port {
    /// The ports of all links in order, with how each is attached to.
    pub(crate) fn all(links: &[Link]) -> Vec<(Self, &xdp::Options)> {
        let ports_of = |(link, of): (usize, &'_ Link)| {
            let has_two = of.west.is_some();
            [(Fibre::East, TapPort(0)), (Fibre::West, TapPort(1))].map(|(fibre, port)| Self {
                link,
                port,
                fibre: has_two.then_some(fibre),
            })
        };
        let ports = |(index, link)| ports_of((index, link)).into_iter().zip(Link::ports(link));
        links.iter().enumerate().flat_map(ports).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_joins_two_ports_to_one_link() {
        let links = ["a0+b0", "c0"].map(Link::tap);
        let ports = Port::all(&links);
        let told: Vec<_> = ports
            .iter()
            .map(|(port, options)| (port.link, port.port.0, port.fibre, options.interface.as_str()))
            .collect();
        let fibres = [Some(Fibre::East), Some(Fibre::West), None];
        assert_eq!(
            told,
            [(0, 0, fibres[0], "a0"), (0, 1, fibres[1], "b0"), (1, 0, fibres[2], "c0")]
        );
        assert_eq!((links[0].name.as_str(), links[1].name.as_str()), ("a0+b0", "c0"));
    }
}
