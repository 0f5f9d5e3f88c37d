//! How one person is, from how their devices are. Pure: the hub holds it and tells the time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use switchback_core::wire::PresenceState;
use switchback_storage::Credential;

/// One person's devices (a device is a credential: a browser shares one among its tabs).
#[derive(Debug, Default)]
pub(super) struct Devices {
    devices: HashMap<Credential, Device>,
    /// What everybody was last told.
    shown: Option<PresenceState>,
}

#[derive(Debug)]
struct Device {
    connections: usize,
    state: PresenceState,
    /// When its last connection closed.
    gone_at: Option<Instant>,
}

impl Devices {
    pub(super) fn connected(&mut self, credential: Credential) {
        let fresh = Device { connections: 0, state: PresenceState::Online, gone_at: None };
        let device = self.devices.entry(credential).or_insert(fresh);
        device.connections += 1;
        device.gone_at = None;
    }

    pub(super) fn disconnected(&mut self, credential: Credential, now: Instant) {
        if let Some(device) = self.devices.get_mut(&credential) {
            device.connections = device.connections.saturating_sub(1);
            if device.connections == 0 {
                device.gone_at = Some(now);
            }
        }
    }

    /// Ignored for a device that has no connection and had none lately.
    pub(super) fn declare(&mut self, credential: Credential, state: PresenceState) {
        if let Some(device) = self.devices.get_mut(&credential) {
            device.state = state;
        }
    }

    /// Forgets devices that are gone for `grace`.
    pub(super) fn sweep(&mut self, now: Instant, grace: Duration) {
        let gone = |at: Instant| now.saturating_duration_since(at) >= grace;
        self.devices.retain(|_, device| !device.gone_at.is_some_and(gone));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Online on one device is online.
    pub(super) fn state(&self) -> PresenceState {
        let mut state = PresenceState::Offline;
        for device in self.devices.values() {
            match device.state {
                PresenceState::Online => return PresenceState::Online,
                other => state = other,
            }
        }
        state
    }

    /// The state, if everybody was last told another.
    pub(super) fn news(&mut self) -> Option<PresenceState> {
        let state = self.state();
        if self.shown.unwrap_or(PresenceState::Offline) == state {
            return None;
        }
        self.shown = Some(state);
        Some(state)
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
        assert_eq!(devices.news(), Some(PresenceState::Online));
        devices.connected(device(2));
        devices.declare(device(1), PresenceState::Away);
        assert_eq!(devices.news(), None);
        devices.declare(device(2), PresenceState::Away);
        assert_eq!(devices.news(), Some(PresenceState::Away));
        assert_eq!(devices.news(), None, "told once");
    }

    #[test]
    fn a_short_absence_is_not_told() {
        let (mut devices, start) = (Devices::default(), Instant::now());
        devices.connected(device(1));
        devices.connected(device(1));
        assert_eq!(devices.news(), Some(PresenceState::Online));
        devices.disconnected(device(1), start);
        devices.disconnected(device(1), start);
        devices.sweep(start + GRACE / 2, GRACE);
        assert_eq!(devices.news(), None);
        devices.connected(device(1));
        devices.sweep(start + GRACE * 2, GRACE);
        assert_eq!(devices.news(), None, "it came back");
        devices.disconnected(device(1), start);
        devices.sweep(start + GRACE, GRACE);
        assert_eq!(devices.news(), Some(PresenceState::Offline));
        assert!(devices.is_empty());
    }

    #[test]
    fn a_device_that_never_connected_cannot_declare_anything() {
        let mut devices = Devices::default();
        devices.declare(device(1), PresenceState::Online);
        assert_eq!(devices.state(), PresenceState::Offline);
    }
}
