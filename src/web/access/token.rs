//! The admin token, and where it comes from.

use std::{
    ffi::OsString,
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::Denied;
use crate::{config, plain_words};

/// The environment variable with the admin token.
pub const TOKEN_VARIABLE: &str = "CHATPROBE_ADMIN_TOKEN";
/// A shorter one could be guessed: of random letters and digits, so many are 95 bits.
const SHORTEST_TOKEN: usize = 16;
/// Tokens are compared over so many bytes, whatever their length.
const LONGEST_TOKEN: usize = 256;

/// Why there is no admin token where one is named.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A source of the token has none in it.
    #[error("{0} holds an empty admin token; put one in, or take the setting away")]
    Empty(TokenSource),
    /// It could be guessed.
    #[error(
        "the admin token in {at} has {length} characters and could be guessed; it needs at least {SHORTEST_TOKEN}, for instance those that `openssl rand -hex 32` makes"
    )]
    Short {
        /// Where it is from.
        at: TokenSource,
        /// How many characters it has.
        length: usize,
    },
    /// The token cannot be sent in a header, or not be compared.
    #[error(
        "the admin token in {0} cannot be used; it may have up to {LONGEST_TOKEN} visible ASCII characters, without spaces"
    )]
    Unusable(TokenSource),
    /// The file cannot be read.
    #[error(
        "cannot read the admin token file `{}`: {}; let the user of the process read it, or change `admin.token_file`",
        path.display(),
        plain_words::of_system(error)
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A new token cannot be kept.
    #[error(
        "cannot write the new admin token to `{}`: {}; make its folder writable for the user of the process, or set {TOKEN_VARIABLE}",
        path.display(),
        plain_words::of_system(error)
    )]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A new token would have no file.
    #[error("`admin.create_token` needs `admin.token_file`: where the new token is kept")]
    NoFile,
}

/// A token that was made because there was none.
pub struct NewToken {
    /// The token, for the one time that it is shown.
    pub text: SecretString,
    /// The file that has it from now on.
    pub path: PathBuf,
}

/// Makes the admin token and writes it to its file, if the configuration asks for that and there is none.
pub fn create_token(
    admin: &config::Admin,
    config_dir: &Path,
) -> Result<Option<NewToken>, TokenError> {
    let wanted = admin.create_token && std::env::var_os(TOKEN_VARIABLE).is_none();
    match &admin.token_file {
        Some(file) if wanted => create_in(&config_dir.join(file)),
        None if wanted => Err(TokenError::NoFile),
        Some(_) | None => Ok(None),
    }
}

fn create_in(path: &Path) -> Result<Option<NewToken>, TokenError> {
    let unwritable = |error| TokenError::Unwritable {
        path: path.to_owned(),
        error,
    };
    if path.try_exists().map_err(unwritable)? {
        return Ok(None);
    }
    // 244 random bits of the system's generator.
    let [one, other] = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::simple);
    let text = SecretString::from(format!("{one}{other}"));
    // Under another name first: a process that is ended meanwhile leaves no half of a token.
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    // For this user alone, also where somebody has made the file before.
    let write = || {
        let _ = fs::remove_file(&unfinished);
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)?;
        writeln!(file, "{}", text.expose_secret())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    write().map_err(unwritable)?;
    let path = path.to_owned();
    Ok(Some(NewToken { text, path }))
}

/// Where an admin token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The environment.
    Variable,
    /// `admin.token_file`.
    File(PathBuf),
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => write!(f, "the environment variable {TOKEN_VARIABLE}"),
            Self::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

/// The admin token, filled up with zero bytes, which a header cannot contain.
#[derive(Clone)]
pub(super) struct Token(SecretString);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// The one in the environment variable, else the one in the file that the configuration names.
    pub(super) fn find(
        variable: Option<OsString>,
        admin: &config::Admin,
        config_dir: &Path,
    ) -> Result<Option<Self>, TokenError> {
        let (text, source) = if let Some(value) = variable {
            let source = TokenSource::Variable;
            match value.into_string() {
                Ok(text) => (SecretString::from(text), source),
                Err(_) => return Err(TokenError::Unusable(source)),
            }
        } else if let Some(file) = &admin.token_file {
            let path = config_dir.join(file);
            match fs::read_to_string(&path) {
                Ok(text) => (SecretString::from(text), TokenSource::File(path)),
                // The service makes it when it starts; up to then nobody has it.
                Err(error) if admin.create_token && error.kind() == io::ErrorKind::NotFound => {
                    let unknown = Uuid::new_v4().simple().to_string();
                    (SecretString::from(unknown), TokenSource::File(path))
                }
                Err(error) => return Err(TokenError::Unreadable { path, error }),
            }
        } else if admin.create_token {
            return Err(TokenError::NoFile);
        } else {
            return Ok(None);
        };
        Self::new(text.expose_secret().trim(), source).map(Some)
    }

    fn new(text: &str, source: TokenSource) -> Result<Self, TokenError> {
        if text.is_empty() {
            return Err(TokenError::Empty(source));
        }
        if text.len() > LONGEST_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Unusable(source));
        }
        if text.len() < SHORTEST_TOKEN {
            let length = text.len();
            return Err(TokenError::Short { at: source, length });
        }
        Ok(Self(format!("{text:\0<LONGEST_TOKEN$}").into()))
    }

    /// Whether this is the token. The time that it takes does not depend on where the first difference is.
    pub(super) fn is(&self, given: &[u8]) -> bool {
        let mut filled = [0; LONGEST_TOKEN];
        let Some(start) = filled.get_mut(..given.len()) else {
            return false;
        };
        start.copy_from_slice(given);
        filled.ct_eq(self.0.expose_secret().as_bytes()).into()
    }
}

/// The token that these headers have.
pub(super) fn given(headers: &HeaderMap) -> Result<&[u8], Denied> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(Denied::NoToken);
    };
    let (scheme, token) = split_scheme(value.as_bytes()).ok_or(Denied::NoToken)?;
    if scheme.eq_ignore_ascii_case(b"bearer") {
        Ok(token)
    } else {
        Err(Denied::NoToken)
    }
}

fn split_scheme(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = value.iter().position(|byte| *byte == b' ')?;
    Some((&value[..at], value[at..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::testing::TemporaryFolder;

    #[test]
    fn a_token_is_made_once_and_for_its_owner_alone() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("token");
        let created = create_in(&path).unwrap().unwrap();
        let text = created.text.expose_secret();
        assert_eq!((created.path.as_path(), text.len()), (path.as_path(), 64));
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}\n"));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        assert!(create_in(&path).unwrap().is_none());
        let other = create_in(&folder.path().join("other")).unwrap().unwrap();
        assert_ne!(other.text.expose_secret(), text);
        let admin = config::Admin {
            token_file: Some(path),
            create_token: true,
            ..config::Admin::default()
        };
        let token = Token::find(None, &admin, Path::new(".")).unwrap().unwrap();
        assert!(token.is(text.as_bytes()));
    }

    #[test]
    fn a_token_that_is_still_to_be_made_is_nobodys() {
        let folder = TemporaryFolder::new();
        let mut admin = config::Admin {
            token_file: Some("token".into()),
            create_token: true,
            ..config::Admin::default()
        };
        assert!(matches!(
            Token::find(None, &admin, folder.path()),
            Ok(Some(_))
        ));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        admin.token_file = None;
        let nowhere = Token::find(None, &admin, folder.path()).unwrap_err();
        assert_eq!(
            nowhere.to_string(),
            "`admin.create_token` needs `admin.token_file`: where the new token is kept"
        );
        let missing = create_in(&folder.path().join("missing/token"))
            .err()
            .unwrap();
        let says = missing.to_string();
        assert!(
            says.contains("missing/token`: ") && says.contains("or set CHATPROBE_ADMIN_TOKEN"),
            "{says}"
        );
    }
}
