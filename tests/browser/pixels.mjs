// SPDX-License-Identifier: MIT
import { launch } from "./harness.mjs";

// The number of colours in a picture of the page, and the lightness (0 to 255) of its upper left
// corner.
export async function colours(page) {
	const picture = (await page.screenshot()).toString("base64"),
		blank = await (await launch()).newPage();
	const found = await blank.evaluate(async (data) => {
		const bitmap = await createImageBitmap(
			await (await fetch(`data:image/png;base64,${data}`)).blob(),
		);
		const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
		canvas.getContext("2d").drawImage(bitmap, 0, 0);
		const pixels = new Uint32Array(
			canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height).data.buffer,
		);
		return { count: new Set(pixels).size, corner: pixels[0] & 0xff };
	}, picture);
	await blank.close();
	return found;
}
