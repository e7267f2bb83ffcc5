// SPDX-License-Identifier: Apache-2.0
//
// page.audit.mjs: what can be measured of how accessible a page is: names, contrasts, sizes, structure.

const NAMED = new Set(['button', 'link', 'textbox', 'searchbox', 'checkbox', 'radio', 'slider', 'combobox', 'menuitem', 'img', 'image', 'progressbar', 'dialog', 'region', 'navigation', 'complementary']);

/** Roles of elements that need a name and, in the browser's own accessibility tree, have none. */
export async function names(context, page) {
    const session = await context.newCDPSession(page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    await session.detach();
    const bad = nodes.filter(({ ignored, role, name }) => !ignored && NAMED.has(role?.value) && !name?.value?.trim());
    if (nodes.filter(({ role }) => role?.value === 'button').length < 3) throw new Error('hardly any buttons: the tree is not there');
    return bad.map(({ role }) => role.value);
}

/** In the page: texts whose contrast to what is behind them is below 4.5 (3 for large ones). */
export function contrasts() {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
    const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) {
            layers.push(rgba(getComputedStyle(at).backgroundColor));
            if (layers.at(-1)[3] === 1) break;
        }
        return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
    };
    const bad = [];
    let looked = 0;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        // What cannot be used may be faint; what only screen readers see has no contrast.
        if (element.closest(':disabled, .hidden, noscript, script, .grow')) continue;
        const style = getComputedStyle(element);
        const ground = behind(element);
        const ink = over(rgba(element.closest('svg') ? style.fill : style.color), ground);
        const [a, b] = [luminance(ink), luminance(ground)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        looked++;
        if (ratio < (large ? 3 : 4.5)) bad.push(`${ratio.toFixed(2)}: ${node.data.trim().slice(0, 40)}`);
    }
    if (looked < (innerWidth < 700 ? 5 : 8)) bad.push(`only ${looked} texts looked at`);
    return bad;
}

/** In the page: the rest of what is asked of its structure. */
export function audit() {
    const bad = [];
    if (!document.documentElement.lang) bad.push('no language');
    if (!document.title) bad.push('no title');
    if (document.querySelectorAll('main').length !== 1) bad.push('not one main');
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) bad.push(`two elements are #${id}`);
    for (const attribute of ['aria-describedby', 'aria-labelledby', 'aria-controls', 'for'])
        for (const element of document.querySelectorAll(`[${attribute}]`))
            if (!document.getElementById(element.getAttribute(attribute))) bad.push(`${attribute}=${element.getAttribute(attribute)} names nothing`);
    for (const element of document.querySelectorAll('[tabindex]')) if (element.tabIndex > 0) bad.push('a tabindex above 0');
    for (const element of document.querySelectorAll('button, a, input:not([hidden]), textarea')) {
        if (!element.checkVisibility() || element.type === 'radio' || element.closest('.text p, .text li')) continue;
        const { width, height } = element.getBoundingClientRect();
        if (width > 0 && (width < 24 || height < 24) && element.type !== 'checkbox') bad.push(`${element.textContent || element.ariaLabel} is ${Math.round(width)}×${Math.round(height)}`);
    }
    return bad;
}
