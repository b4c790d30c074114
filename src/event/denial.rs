/// Why a request to the web listener was refused before anything was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denial {
    /// It has no admin token, and needs it.
    NoToken,
    /// Its token is not the admin token.
    WrongToken,
    /// Its token was not compared, because too many wrong ones came before.
    Throttled,
    /// There is no admin token, and it does not come from this machine.
    NotLocal,
    /// There is no admin token, and it comes from a page of another site.
    OtherSite,
    /// There is no admin token, and its `Host` is not ours.
    ForeignHost,
}

impl Denial {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::NoToken,
        Self::WrongToken,
        Self::Throttled,
        Self::NotLocal,
        Self::OtherSite,
        Self::ForeignHost,
    ];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::Throttled => "throttled",
            Self::NotLocal => "not_local",
            Self::OtherSite => "other_site",
            Self::ForeignHost => "foreign_host",
        }
    }
}
