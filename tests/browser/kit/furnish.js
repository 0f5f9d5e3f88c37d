/*
 * A workspace in the middle of a working day: what pictures show, and what accessibility is
 * measured on. An empty room has nothing to be wrong.
 */

/** @typedef {import("./api.js").Api} Api */

/**
 * Fills `general` and a few more rooms.
 * @param {{ada: Api, bob: Api, cy: Api}} people
 */
export async function furnish({ ada, bob, cy }) {
  const [me, them, third] = await Promise.all([ada, bob, cy].map(async (api) => (await api.rest("GET", "/users/me")).id));
  const rooms = await makeRooms(ada, [them, third]);
  const general = await ada.general();
  await ada.rest("PATCH", "/workspace", { name: "Zermatt Works" });
  await ada.rest("PATCH", `/rooms/${general}`, { topic: "The railway, all of it" });
  await talkInGeneral(general, { ada, bob, cy });
  await talkInTrains(rooms.trains, { ada, bob, cy });
  await bob.post(rooms.design, "The signal colours are in, both themes.");
  await cy.post(rooms.design, "Contrast is 7:1 now. @ada have a look?");
  const direct = await bob.rest("POST", "/direct", { users: [me] });
  await bob.post(direct.id, "Lunch at the upper station?");
  await cy.rest("POST", "/direct", { users: [me, them] });
  return { general, ...rooms };
}

/** @param {Api} ada @param {string[]} others */
async function makeRooms(ada, others) {
  /** @type {Record<string, string>} */
  const rooms = {};
  const wanted = [
    { key: "trains", kind: "public", name: "trains", topic: "Timetables, and what the snow does to them" },
    { key: "design", kind: "public", name: "design", topic: "" },
    { key: "board", kind: "private", name: "board", topic: "" },
  ];
  for (const { key, ...body } of wanted) {
    rooms[key] = (await ada.rest("POST", "/rooms", body)).id;
    for (const user of others) await ada.rest("PUT", `/rooms/${rooms[key]}/members/${user}`);
  }
  return rooms;
}

/** @param {string} room @param {{ada: Api, bob: Api, cy: Api}} people */
async function talkInGeneral(room, { ada, bob, cy }) {
  const first = await ada.post(room, "Good morning! The **new timetable** goes live on Monday. Plan is in `timetable.toml`.");
  await bob.command("reaction.add", { message: first.id, emoji: "🎉" });
  await cy.command("reaction.add", { message: first.id, emoji: "🎉" });
  await cy.command("reaction.add", { message: first.id, emoji: "🚂" });
  const question = await bob.post(room, "Does the 7:14 still wait for the bus at the switchback?");
  await ada.post(room, "It does, three minutes. @bob the rule is this one:", { reply_to: question.id });
  await ada.post(room, "```rust\nfn waits(train: &Train, bus: &Bus) -> bool {\n    bus.delay_min() <= 3 && train.is_last_before(bus)\n}\n```");
  await cy.post(room, "Two things before Monday:\n\n1. print the boards\n2. tell the *upper station*, see [the notes](https://example.org/notes)");
  const gone = await cy.post(room, "wrong room, sorry");
  await cy.command("message.delete", { message: gone.id });
  const edited = await bob.post(room, "Boards are printed.");
  await bob.command("message.edit", { message: edited.id, body: "Boards are printed and **hung up**, all four." });
  await ada.command("reaction.add", { message: edited.id, emoji: "👏" });
  await cy.post(room, "I am on the 9:40 through three tunnels, so expect me in pieces. Nothing gets lost, though.");
}

/** @param {string} room @param {{ada: Api, bob: Api, cy: Api}} people */
async function talkInTrains(room, { ada, bob, cy }) {
  await bob.post(room, "Snow on the upper loop, 20 cm.");
  await cy.post(room, "@room the plough runs before the first train tomorrow.");
  await ada.post(room, "> plough before the first train\n\nGood. | Then we are | on time |");
  await bob.post(room, "| train | leaves | waits |\n|---|---|---|\n| 7:14 | upper | 3 min |\n| 7:44 | lower | no |");
}
