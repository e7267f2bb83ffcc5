// SPDX-License-Identifier: Apache-2.0
//
// Behind the empty page: dust in a beam of light, which is what the name means. Nobody needs to see it.

const DUST = 11;

export function Beam() {
    return (
        <div class="beam" aria-hidden="true">
            <i class="beam-light" />
            {Array.from({ length: DUST }, () => (
                <i class="beam-dust" />
            ))}
            <i class="beam-mote" />
        </div>
    );
}
