// Where unsent messages survive a reload: IndexedDB, or the tab's memory where there is none (private
// windows of some browsers). One database for all accounts of the browser; each item names its own.

/** @import { Nonce } from "../types.js" */
/** @import { Env, OutboxItem, OutboxStore } from "./shape.js" */

const DATABASE = "switchback";
const VERSION = 1;
const OUTBOX = "outbox";

/** @param {Env} env @returns {Promise<OutboxStore>} Never rejects. */
export async function openOutboxStore(env) {
  if (!env.indexedDB) return new MemoryOutbox();
  try {
    return new IndexedOutbox(await open(env.indexedDB));
  } catch {
    return new MemoryOutbox();
  }
}

/** @param {IDBFactory} factory @returns {Promise<IDBDatabase>} */
function open(factory) {
  return new Promise((resolve, reject) => {
    const request = factory.open(DATABASE, VERSION);
    request.onupgradeneeded = () => request.result.createObjectStore(OUTBOX, { keyPath: "nonce" });
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("the database is held by another version of the page"));
    request.onsuccess = () => {
      const database = request.result;
      // A later version of the page wants in: do not stand in its way.
      database.onversionchange = () => database.close();
      resolve(database);
    };
  });
}

/** @implements {OutboxStore} */
class IndexedOutbox {
  #database;

  /** @param {IDBDatabase} database */
  constructor(database) {
    this.#database = database;
  }

  /** @returns {Promise<OutboxItem[]>} */
  all() {
    return this.#run("readonly", (store) => store.getAll());
  }

  /** @param {OutboxItem} item */
  async put(item) {
    await this.#run("readwrite", (store) => store.put(item));
  }

  /** @param {Nonce} nonce */
  async remove(nonce) {
    await this.#run("readwrite", (store) => store.delete(nonce));
  }

  /**
   * Resolves when the transaction is complete: only then is anything kept.
   * @template Result
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<Result>} act
   * @returns {Promise<Result>}
   */
  #run(mode, act) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(OUTBOX, mode);
      const request = act(transaction.objectStore(OUTBOX));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
      transaction.onerror = () => reject(transaction.error);
    });
  }
}

/** @implements {OutboxStore} */
class MemoryOutbox {
  /** @type {Map<Nonce, OutboxItem>} */
  #items = new Map();

  async all() {
    return [...this.#items.values()];
  }

  /** @param {OutboxItem} item */
  async put(item) {
    this.#items.set(item.nonce, item);
  }

  /** @param {Nonce} nonce */
  async remove(nonce) {
    this.#items.delete(nonce);
  }
}
