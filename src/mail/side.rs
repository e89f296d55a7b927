//! The two sides of a sync.

use std::fmt;

/// One side of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The server.
    Remote,
    /// The store on this machine.
    Local,
}

impl Side {
    /// Both, the server first.
    pub const BOTH: [Side; 2] = [Side::Remote, Side::Local];

    /// The side across.
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::Remote => Side::Local,
            Side::Local => Side::Remote,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Remote => "remote",
            Side::Local => "local",
        })
    }
}

/// One of a kind for each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Sides<T> {
    /// The server's.
    pub remote: T,
    /// This machine's.
    pub local: T,
}

impl<T> Sides<T> {
    /// Each side's, made by a function.
    pub fn of(mut make: impl FnMut(Side) -> T) -> Sides<T> {
        Sides { remote: make(Side::Remote), local: make(Side::Local) }
    }

    /// The one of a side.
    pub fn on(&self, side: Side) -> &T {
        match side {
            Side::Remote => &self.remote,
            Side::Local => &self.local,
        }
    }

    /// The one of a side, to be changed.
    pub fn on_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Remote => &mut self.remote,
            Side::Local => &mut self.local,
        }
    }

    /// Both turned into something else.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Sides<U> {
        Sides { remote: f(self.remote), local: f(self.local) }
    }

    /// The sides seen in a mirror.
    #[must_use]
    pub fn mirrored(self) -> Sides<T> {
        Sides { remote: self.local, local: self.remote }
    }
}
