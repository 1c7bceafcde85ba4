// Packs an unpacked extension as .vsix: node vsix.mjs EXTENSION_DIR OUT.vsix
// A .vsix is an Open Packaging zip: [Content_Types].xml, extension.vsixmanifest and extension/*.
// Entries are sorted and carry a fixed date, so the same input gives the same bytes.
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

const [, , dir, out] = process.argv;
const manifest = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'));
const escape = (s) =>
  String(s).replace(/[<>&"]/g, (c) => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' })[c]);

const TYPES = {
  json: 'application/json',
  js: 'application/javascript',
  wasm: 'application/wasm',
  gz: 'application/gzip',
  md: 'text/markdown',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain',
  vsixmanifest: 'text/xml',
};

function files(folder, prefix = '') {
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((e) =>
      e.isDirectory()
        ? files(path.join(folder, e.name), `${prefix}${e.name}/`)
        : [{ name: prefix + e.name, data: fs.readFileSync(path.join(folder, e.name)) }],
    );
}

const content = files(dir);
const find = (re) => content.find((f) => re.test(f.name));
const asset = (type, f) =>
  f ? `    <Asset Type="${type}" Path="extension/${escape(f.name)}" Addressable="true" />\n` : '';

const vsixManifest = `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${escape(manifest.name)}" Version="${escape(manifest.version)}" Publisher="${escape(manifest.publisher)}" />
    <DisplayName>${escape(manifest.displayName)}</DisplayName>
    <Description xml:space="preserve">${escape(manifest.description)}</Description>
    <Tags>${escape([...(manifest.keywords ?? []), '__web_extension'].join(','))}</Tags>
    <Categories>${escape((manifest.categories ?? []).join(','))}</Categories>
    <GalleryFlags>Public</GalleryFlags>
    <License>extension/LICENSE.txt</License>
    <Icon>extension/${escape(manifest.icon)}</Icon>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${escape(manifest.engines.vscode)}" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionDependencies" Value="" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionPack" Value="" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="${escape([...manifest.extensionKind, 'web'].join(','))}" />
      <Property Id="Microsoft.VisualStudio.Code.LocalizedLanguages" Value="" />
    </Properties>
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code" />
  </Installation>
  <Dependencies />
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true" />
${asset('Microsoft.VisualStudio.Services.Content.Details', find(/^README\.md$/))}${asset('Microsoft.VisualStudio.Services.Content.License', find(/^LICENSE\.txt$/))}${asset('Microsoft.VisualStudio.Services.Icons.Default', find(new RegExp(`^${manifest.icon}$`)))}  </Assets>
</PackageManifest>
`;

const extensions = [...new Set([...content.map((f) => path.extname(f.name).slice(1)), 'vsixmanifest'])]
  .filter((e) => e !== '')
  .sort();
const unknown = extensions.filter((e) => !(e in TYPES));
if (unknown.length > 0) throw new Error(`no content type for: ${unknown.join(', ')}`);
const contentTypes = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${extensions
  .map((e) => `<Default Extension=".${e}" ContentType="${TYPES[e]}" />`)
  .join('')}</Types>
`;

const entries = [
  { name: 'extension.vsixmanifest', data: Buffer.from(vsixManifest) },
  { name: '[Content_Types].xml', data: Buffer.from(contentTypes) },
  ...content.map((f) => ({ name: `extension/${f.name}`, data: f.data })),
];

// zlib.crc32 is missing in older Node versions.
const CRC = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});
const crc32 = (data) => (data.reduce((c, b) => CRC[(c ^ b) & 255] ^ (c >>> 8), -1) ^ -1) >>> 0;

// APPNOTE.TXT 4.3: local headers with data, the central directory, its end record.
const DOS_DATE = ((2000 - 1980) << 9) | (1 << 5) | 1;
const parts = [];
const central = [];
let offset = 0;
for (const { name, data } of entries) {
  const packed = zlib.deflateRawSync(data, { level: 9 });
  const stored = packed.length >= data.length;
  const body = stored ? data : packed;
  const raw = Buffer.from(name, 'utf8');
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0); // version needed
  fields.writeUInt16LE(0x800, 2); // names are UTF-8
  fields.writeUInt16LE(stored ? 0 : 8, 4);
  fields.writeUInt16LE(0, 6);
  fields.writeUInt16LE(DOS_DATE, 8);
  fields.writeUInt32LE(crc32(data), 10);
  fields.writeUInt32LE(body.length, 14);
  fields.writeUInt32LE(data.length, 18);
  fields.writeUInt16LE(raw.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, raw, body]);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE((0o100644 << 16) >>> 0, 6);
  tail.writeUInt32LE(offset, 10);
  central.push(
    Buffer.concat([Buffer.from('PK\x01\x02', 'latin1'), Buffer.from([20, 3]), fields, tail, raw]),
  );
  parts.push(local);
  offset += local.length;
}
const directory = Buffer.concat(central);
const end = Buffer.alloc(22);
end.write('PK\x05\x06', 0, 'latin1');
end.writeUInt16LE(entries.length, 8);
end.writeUInt16LE(entries.length, 10);
end.writeUInt32LE(directory.length, 12);
end.writeUInt32LE(offset, 16);
fs.writeFileSync(out, Buffer.concat([...parts, directory, end]));
