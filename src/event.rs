//! The facts an engine reports while it works.
