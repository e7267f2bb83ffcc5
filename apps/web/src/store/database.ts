// SPDX-License-Identifier: Apache-2.0
//
// The page's IndexedDB: one store of conversations, keyed by id. Everything is asked for through promises;
// where the browser has no IndexedDB (some private windows) `database()` rejects, and the page says that
// nothing will be kept.

const NAME = "mote";
const VERSION = 1;
const STORE = "conversations";

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
    opened ??= new Promise((resolve, reject) => {
        const request = indexedDB.open(NAME, VERSION);
        request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
        request.onsuccess = () => {
            const db = request.result;
            // A newer page in another tab wants to upgrade: let it.
            db.onversionchange = () => {
                db.close();
                opened = undefined;
            };
            resolve(db);
        };
        request.onerror = () => reject(request.error);
        request.onblocked = () => reject(new Error("another tab holds an older version of the database open"));
    });
    opened.catch(() => (opened = undefined));
    return opened;
}

function finished(transaction: IDBTransaction): Promise<void> {
    return new Promise((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
}

/** Every stored record, in no particular order; what they contain is for the caller to check. */
export async function readAll(): Promise<unknown[]> {
    const db = await database();
    return new Promise((resolve, reject) => {
        const request = db.transaction(STORE, "readonly").objectStore(STORE).getAll();
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
}

/** Writes the records, all or none. */
export async function write(...records: { id: string }[]): Promise<void> {
    const transaction = (await database()).transaction(STORE, "readwrite");
    for (const record of records) transaction.objectStore(STORE).put(record);
    return finished(transaction);
}

export async function remove(id: string): Promise<void> {
    const transaction = (await database()).transaction(STORE, "readwrite");
    transaction.objectStore(STORE).delete(id);
    return finished(transaction);
}
