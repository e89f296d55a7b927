//! The scripted server does what its script says.
