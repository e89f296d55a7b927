//! Whatever a server may say, for fuzzing.

use super::Pop3;
use super::body::Body;
use super::capabilities::Capabilities;
use super::listing::join;
use super::wire::{Code, Reply, list_line, timestamp, uidl_line};
use crate::mail::Key;
use crate::net::AuthChoice;
use crate::net::fuzz;
use crate::retrieve::fuzz::Swallow;
use crate::retrieve::{Handle, Retriever};

/// Single lines and bodies.
pub fn replies(data: &[u8]) {
    let (mut capabilities, mut named, mut sized) = (Capabilities::default(), Vec::new(), Vec::new());
    for line in data.split(|b| *b == b'\n') {
        if let Some(Reply::Ok(text) | Reply::Err(text)) = Reply::parse(line) {
            let _ = (Code::of(text), timestamp(text));
        }
        capabilities.add(line);
        named.extend(uidl_line(line).map(|(n, id)| (n, id.map(Key::new))));
        sized.extend(list_line(line));
    }
    let _ = (capabilities.notes("mx"), join(named, sized));
    for bare_lf in [false, true] {
        let (mut body, mut rest, mut octets) = (Body::new(bare_lf), data, 0);
        while !rest.is_empty() {
            let step = body.step(rest);
            octets += step.piece.len();
            assert!(step.used > 0 || step.ended || !step.piece.is_empty(), "no progress");
            rest = rest.get(step.used..).unwrap_or_default();
            if step.ended {
                break;
            }
        }
        assert!(octets <= data.len(), "{octets} octets of a body of {}", data.len());
    }
}

/// A whole session.
pub fn session(data: &[u8]) {
    fuzz::session(data, |stream, server, login| async move {
        let mut pop3 = Pop3::start(stream, &server, &login, AuthChoice::Auto).await?;
        let listing = match pop3.glance().await? {
            Some(glance) => pop3.complete(glance).await?,
            None => pop3.list().await?,
        };
        let handles: Vec<Handle> = listing.messages.iter().take(5).map(|m| m.handle).collect();
        pop3.fingerprints(&handles).await?;
        pop3.retrieve(&handles, &mut Swallow::default()).await?;
        pop3.dispose(&handles).await?;
        let finished = pop3.finish().await?;
        assert!(finished.left.len() <= handles.len(), "more is left than was to go");
        Ok(())
    });
}
