// SPDX-License-Identifier: Apache-2.0
//
// snapshots.ts: KV snapshots in storage, in one folder for each model. What they hold is the engine's to check.

import { MoteError } from "./errors.js";
import { sha256Text } from "./sha256.js";
import { storageError, withLock, type Storage, type StoredFile } from "./storage.js";
import type { StoredSnapshot } from "./types.js";

export class Snapshots {
    readonly #folder: string;

    constructor(
        readonly storage: Storage | undefined,
        fingerprint: string,
    ) {
        this.#folder = `snapshots/${fingerprint}`;
    }

    #storage(): Storage {
        if (!this.storage) throw new MoteError("storage", "there is no storage here");
        return this.storage;
    }

    #file(name: string): string {
        return sha256Text(name).slice(0, 32);
    }

    /** Runs with the file of a snapshot open. */
    async #open<T>(name: string, run: (file: StoredFile) => Promise<T>): Promise<T> {
        const storage = this.#storage();
        return withLock(`snapshot-${this.#file(name)}`, {}, async () => {
            let file: StoredFile | undefined;
            try {
                file = await storage.open(this.#folder, `${this.#file(name)}.bin`);
                return await run(file);
            } catch (error) {
                throw storageError(error, `keeping the snapshot '${name}'`);
            } finally {
                file?.close();
            }
        });
    }

    /** Writes what `make` gives, which is looked at before anything is awaited. */
    async save(name: string, make: () => Uint8Array): Promise<number> {
        const storage = this.#storage();
        return this.#open(name, async (file) => {
            // While it is being written there is no description, and so no snapshot.
            await storage.remove(this.#folder, `${this.#file(name)}.json`);
            const bytes = make();
            file.truncate(0);
            file.write(bytes, 0);
            file.flush();
            const saved: StoredSnapshot = { name, bytes: bytes.length, created: Date.now() };
            await storage.writeText(this.#folder, `${this.#file(name)}.json`, JSON.stringify(saved));
            return saved.bytes;
        });
    }

    async restore(name: string, use: (bytes: number, fill: (into: Uint8Array) => void) => void): Promise<void> {
        const saved = await this.#describe(`${this.#file(name)}.json`);
        if (!saved) throw new MoteError("notfound", `no snapshot '${name}' of this model`);
        await this.#open(name, (file) => {
            const bytes = file.size();
            use(bytes, (into) => {
                if (file.read(into, 0) !== into.length) throw new MoteError("storage", `the snapshot '${name}' cannot be read`);
            });
            return Promise.resolve();
        });
    }

    async #describe(file: string): Promise<StoredSnapshot | undefined> {
        try {
            const { name, bytes, created } = JSON.parse((await this.#storage().readText(this.#folder, file)) ?? "null") as StoredSnapshot;
            return typeof name === "string" && typeof bytes === "number" && typeof created === "number" ? { name, bytes, created } : undefined;
        } catch (error) {
            if (error instanceof MoteError) throw error;
            return undefined;
        }
    }

    async list(): Promise<StoredSnapshot[]> {
        const names = (await this.#storage().list(this.#folder)).filter((name) => name.endsWith(".json"));
        const found = await Promise.all(names.map((name) => this.#describe(name)));
        return found.filter((snapshot) => snapshot !== undefined).sort((a, b) => b.created - a.created);
    }

    async remove(name: string): Promise<void> {
        const storage = this.#storage();
        if (!(await this.#describe(`${this.#file(name)}.json`))) throw new MoteError("notfound", `no snapshot '${name}' of this model`);
        await storage.remove(this.#folder, `${this.#file(name)}.json`);
        await storage.remove(this.#folder, `${this.#file(name)}.bin`);
    }
}
