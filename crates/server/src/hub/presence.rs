//! How one person is, from how their devices are. Pure: the hub holds it and tells the time.

use std::sync::Arc;
use std::time::Duration;

use switchback_core::wire::PresenceState;
use switchback_storage::Credential;
use tokio::time::Instant;

use super::recognized::Recognized;

/// One person's devices (a device is a credential: a browser shares one among its tabs). Most have one or
/// two.
#[derive(Debug, Default)]
pub(super) struct Devices {
    devices: Vec<Device>,
}

#[derive(Debug)]
struct Device {
    credential: Credential,
    connections: u32,
    state: PresenceState,
    /// When its last connection closed.
    gone_at: Option<Instant>,
    /// By what it can come back without being asked for.
    recognized: Option<Arc<Recognized>>,
}

impl Devices {
    pub(super) fn connected(&mut self, credential: Credential) {
        if let Some(device) = self.find(credential) {
            device.connections += 1;
            device.gone_at = None;
            return;
        }
        // Room for one more, and not for three.
        self.devices.reserve_exact(1);
        let (state, gone_at) = (PresenceState::Online, None);
        self.devices.push(Device { credential, connections: 1, state, gone_at, recognized: None });
    }

    pub(super) fn disconnected(&mut self, credential: Credential, now: Instant) {
        if let Some(device) = self.find(credential) {
            device.connections = device.connections.saturating_sub(1);
            if device.connections == 0 {
                device.gone_at = Some(now);
            }
        }
    }

    /// Ignored for a device that has no connection and had none lately.
    pub(super) fn declare(&mut self, credential: Credential, state: PresenceState) {
        if let Some(device) = self.find(credential) {
            device.state = state;
        }
    }

    /// Ignored likewise. Returns whether it is kept.
    pub(super) fn recognize(&mut self, recognized: &Arc<Recognized>) -> bool {
        let Some(device) = self.find(recognized.identity.credential) else { return false };
        device.recognized = Some(Arc::clone(recognized));
        true
    }

    /// Takes away by what they can come back, where `which` says so.
    pub(super) fn unrecognize(
        &mut self,
        which: impl Fn(Credential) -> bool,
    ) -> impl Iterator<Item = Arc<Recognized>> {
        let devices = self.devices.iter_mut().filter(move |device| which(device.credential));
        devices.filter_map(|device| device.recognized.take())
    }

    /// Forgets devices that are gone for `grace`; returns by what they could have come back.
    pub(super) fn sweep(&mut self, now: Instant, grace: Duration) -> Vec<Arc<Recognized>> {
        let is_gone =
            |device: &mut Device| device.gone_at.is_some_and(|at| now.saturating_duration_since(at) >= grace);
        self.devices.extract_if(.., is_gone).filter_map(|device| device.recognized).collect()
    }

    /// Since when the one is gone that is the next to be forgotten.
    pub(super) fn gone_at(&self) -> Option<Instant> {
        self.devices.iter().filter_map(|device| device.gone_at).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Those that are connected, and those that would be let in again unasked.
    pub(super) fn held(&self) -> impl Iterator<Item = Credential> {
        let held = self.devices.iter().filter(|device| device.connections > 0 || device.recognized.is_some());
        held.map(|device| device.credential)
    }

    /// How their devices on this node are, taken together.
    pub(super) fn standing(&self) -> Level {
        let level = |device: &Device| Level::new(device.state, device.connections > 0);
        self.devices.iter().map(level).max().unwrap_or_default()
    }

    fn find(&mut self, credential: Credential) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.credential == credential)
    }
}

/// How much somebody is there, on one device or node: the most of all counts. A device without a
/// connection is there until its grace is over, but what it last said yields to one that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Level {
    #[default]
    Offline,
    WasAway,
    WasOnline,
    Away,
    Online,
}

impl Level {
    pub(super) const fn new(state: PresenceState, live: bool) -> Self {
        match (state, live) {
            (PresenceState::Offline, _) => Self::Offline,
            (PresenceState::Away, false) => Self::WasAway,
            (PresenceState::Online, false) => Self::WasOnline,
            (PresenceState::Away, true) => Self::Away,
            (PresenceState::Online, true) => Self::Online,
        }
    }

    pub(super) const fn state(self) -> PresenceState {
        match self {
            Self::Offline => PresenceState::Offline,
            Self::WasAway | Self::Away => PresenceState::Away,
            Self::WasOnline | Self::Online => PresenceState::Online,
        }
    }

    pub(super) const fn is_live(self) -> bool {
        matches!(self, Self::Away | Self::Online)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_core::SessionId;
    use uuid::Uuid;

    const GRACE: Duration = Duration::from_secs(35);

    fn device(number: u128) -> Credential {
        Credential::Session(SessionId::from_uuid(Uuid::from_u128(number)))
    }

    #[test]
    fn online_on_one_device_is_online() {
        let mut devices = Devices::default();
        devices.connected(device(1));
        assert_eq!(devices.standing(), Level::Online);
        devices.connected(device(2));
        devices.declare(device(1), PresenceState::Away);
        assert_eq!(devices.standing(), Level::Online);
        devices.declare(device(2), PresenceState::Away);
        assert_eq!(devices.standing(), Level::Away);
    }

    #[test]
    fn a_device_that_is_there_says_more_than_one_that_was() {
        let mut devices = Devices::default();
        devices.connected(device(1));
        devices.connected(device(2));
        devices.declare(device(2), PresenceState::Away);
        devices.disconnected(device(1), Instant::now());
        assert_eq!(devices.standing(), Level::Away);
        devices.disconnected(device(2), Instant::now());
        assert_eq!(devices.standing(), Level::WasOnline, "both were there a moment ago");
    }

    #[test]
    fn a_short_absence_is_not_told() {
        let (mut devices, start) = (Devices::default(), Instant::now());
        devices.connected(device(1));
        devices.connected(device(1));
        devices.disconnected(device(1), start);
        devices.disconnected(device(1), start);
        devices.sweep(start + GRACE / 2, GRACE);
        assert_eq!(devices.standing().state(), PresenceState::Online);
        devices.connected(device(1));
        devices.sweep(start + GRACE * 2, GRACE);
        assert_eq!(devices.standing(), Level::Online, "it came back");
        devices.disconnected(device(1), start);
        devices.sweep(start + GRACE, GRACE);
        assert_eq!(devices.standing(), Level::Offline);
        assert!(devices.is_empty());
    }

    #[test]
    fn a_device_that_never_connected_cannot_declare_anything() {
        let mut devices = Devices::default();
        devices.declare(device(1), PresenceState::Online);
        assert_eq!(devices.standing(), Level::Offline);
    }
}
