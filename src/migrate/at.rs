//! Where a message stands in the target, as a check found it.

/// What the target calls a message: a folder of a server calls no other so, as long as its size is the same, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct At {
    /// UIDVALIDITY of the folder.
    pub uidvalidity: Option<u32>,
    /// UID, and the size as the server states it.
    pub uid: Option<(u32, u64)>,
}

impl At {
    /// As the ledger has it: `UIDVALIDITY:UID+SIZE`, with a `-` for what is not known; empty where nothing is.
    pub fn to_text(self) -> String {
        match (self.uidvalidity, self.uid) {
            (None, None) => String::new(),
            (validity, uid) => {
                let validity = validity.map_or("-".to_owned(), |v| v.to_string());
                let uid = uid.map_or("-".to_owned(), |(uid, size)| format!("{uid}+{size}"));
                format!("{validity}:{uid}")
            }
        }
    }

    /// The reverse; what cannot be read is not known.
    pub fn of_text(text: &str) -> At {
        let (validity, uid) = text.split_once(':').unwrap_or_default();
        let number = |(uid, size): (&str, &str)| Some((uid.parse().ok()?, size.parse().ok()?));
        At { uidvalidity: validity.parse().ok(), uid: uid.split_once('+').and_then(number) }
    }

    /// Whether the two are certainly in two folders.
    pub fn is_elsewhere(self, other: Option<u32>) -> bool {
        self.uidvalidity.zip(other).is_some_and(|(a, b)| a != b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let at = |uidvalidity, uid| At { uidvalidity, uid };
        for (at, text) in [
            (at(Some(7), Some((1, 20))), "7:1+20"),
            (at(Some(7), None), "7:-"),
            (at(None, Some((1, 20))), "-:1+20"),
            (At::default(), ""),
        ] {
            assert_eq!((at.to_text().as_str(), At::of_text(text)), (text, at));
        }
        for text in ["removed", "7", "7:1", "x:1+y", ":"] {
            assert_eq!(At::of_text(text).uid, None, "{text}");
        }
        let seven = At::of_text("7:-");
        assert_eq!([Some(7), Some(8), None].map(|other| seven.is_elsewhere(other)), [false, true, false]);
    }
}
