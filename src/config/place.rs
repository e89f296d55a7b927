//! Where files are: the configuration, the state, and the paths written in them.

use super::problem::Fault;
use crate::error::{Error, Kind, Result};
use directories::{BaseDirs, ProjectDirs};
use std::path::{Path, PathBuf};

/// The configuration file: the one asked for, else `mailferry/config.toml` where the platform keeps configurations.
pub fn path(explicit: Option<PathBuf>) -> Result<PathBuf> {
    match named(explicit) {
        Some(path) => Ok(path),
        None => Ok(project("--config")?.config_dir().join("config.toml")),
    }
}

/// The folder of the state databases: the one asked for, else where the platform keeps the state of programs.
pub fn state_dir(explicit: Option<PathBuf>) -> Result<PathBuf> {
    match named(explicit) {
        Some(path) => Ok(path),
        None => {
            let project = project("--state-dir")?;
            Ok(project.state_dir().unwrap_or_else(|| project.data_local_dir()).to_owned())
        }
    }
}

/// An environment variable that is set but empty names nothing.
fn named(explicit: Option<PathBuf>) -> Option<PathBuf> {
    explicit.filter(|path| !path.as_os_str().is_empty())
}

fn project(option: &str) -> Result<ProjectDirs> {
    ProjectDirs::from("", "", "mailferry").ok_or_else(|| {
        Error::new(Kind::Config, "no home directory is known", format!("Set HOME, or name the place with {option}."))
    })
}

/// Where relative paths start and where `~` leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    folder: PathBuf,
    home: Option<PathBuf>,
}

impl Base {
    /// Paths of the command line: relative to the working directory.
    pub fn here() -> Result<Base> {
        let folder = std::env::current_dir().map_err(|e| {
            Error::new(Kind::Config, "the working directory is gone", "Change to another one, then run again.")
                .because(e)
        })?;
        Ok(Base::at(folder))
    }

    /// Paths of the configuration file `file`: relative to its folder.
    pub(super) fn of(file: &Path) -> Result<Base> {
        let absolute = std::path::absolute(file).map_err(|e| {
            let what = format!("cannot tell the folder of {}", file.display());
            Error::new(Kind::Config, what, "Name the configuration file by its whole path.").because(e)
        })?;
        Ok(Base::at(absolute.parent().unwrap_or(&absolute).to_owned()))
    }

    fn at(folder: PathBuf) -> Base {
        Base { folder, home: BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()) }
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn fixed(folder: &str, home: Option<&str>) -> Base {
        Base { folder: folder.into(), home: home.map(PathBuf::from) }
    }

    /// The same, of a value outside the configuration file.
    pub fn path(&self, text: &str) -> Result<PathBuf> {
        self.expand(text).map_err(|f| Error::new(Kind::Usage, format!("the path {text} {}", f.what), f.remedy))
    }

    /// The absolute path that `text` means. `~`, `$HOME` and `${HOME}` are taken at the start only, as a shell does.
    pub(super) fn expand(&self, text: &str) -> Result<PathBuf, Fault> {
        if text.is_empty() {
            return Err(Fault::new("is empty", "Write a path, such as \"~/Mail/work\"."));
        }
        if text.contains('\0') {
            return Err(Fault::new("holds a NUL character", "Write a path without it."));
        }
        let (first, rest) = text.split_once('/').unwrap_or((text, ""));
        if matches!(first, "~" | "$HOME" | "${HOME}") {
            let home = self
                .home
                .as_ref()
                .ok_or_else(|| Fault::new("no home directory is known", "Set HOME, or write the whole path."))?;
            let rest = rest.trim_start_matches('/');
            return Ok(if rest.is_empty() { home.clone() } else { home.join(rest) });
        }
        if first.starts_with('~') {
            return Err(Fault::new("other users' homes are not looked up", "Write the whole path instead of `~NAME`."));
        }
        if first.starts_with('$') {
            return Err(Fault::new(
                "the only variable known in paths is `$HOME`",
                "Write the whole path, or use `~/`.",
            ));
        }
        Ok(self.folder.join(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_absolute() {
        let base = Base::fixed("/etc/mf", Some("/home/me"));
        let table = [
            ("/var/mail", "/var/mail"),
            ("~", "/home/me"),
            ("~/Mail/work", "/home/me/Mail/work"),
            ("~//Mail", "/home/me/Mail"),
            ("$HOME/Mail", "/home/me/Mail"),
            ("${HOME}", "/home/me"),
            ("Mail/work", "/etc/mf/Mail/work"),
            ("a~b/$c", "/etc/mf/a~b/$c"),
            ("/a/~/$HOME", "/a/~/$HOME"),
        ];
        for (text, path) in table {
            assert_eq!(base.expand(text), Ok(PathBuf::from(path)), "{text:?}");
        }
    }

    #[test]
    fn paths_that_mean_nothing_are_refused() {
        let base = Base::fixed("/etc/mf", Some("/home/me"));
        let table = [
            ("", "is empty"),
            ("~you/Mail", "other users' homes are not looked up"),
            ("$XDG_DATA_HOME/Mail", "the only variable known in paths is `$HOME`"),
            ("$HOMEDIR", "the only variable known in paths is `$HOME`"),
            ("a\0b", "holds a NUL character"),
        ];
        for (text, told) in table {
            assert_eq!(base.expand(text).map_err(|f| f.what), Err(told.to_owned()), "{text:?}");
        }
        let homeless = Base::fixed("/etc/mf", None);
        assert_eq!(homeless.expand("~/x").map_err(|f| f.what), Err("no home directory is known".to_owned()));
    }

    #[test]
    fn what_is_asked_for_is_taken_and_an_empty_name_is_nothing() {
        assert_eq!(path(Some("c.toml".into())).unwrap(), PathBuf::from("c.toml"));
        assert_eq!(state_dir(Some("/s".into())).unwrap(), PathBuf::from("/s"));
        assert!(path(Some("".into())).unwrap().ends_with("mailferry/config.toml"));
        assert!(state_dir(None).unwrap().ends_with("mailferry"));
    }
}
