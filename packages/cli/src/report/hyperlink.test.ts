import { describe, expect, it } from '@jest/globals';
import { fileAddress, hyperlink, webAddress } from './hyperlink.ts';

describe('hyperlink', () => {
  it('stands around its text', () => {
    expect(hyperlink('here', 'https://a.example/b')).toBe(
      '\u001b]8;;https://a.example/b\u001b\\here\u001b]8;;\u001b\\',
    );
  });

  it.each(['https://a.example/\u001b\\', 'https://a.example/\u009c', 'https://a.example/ü', 'a b', '', null])(
    'leaves the text alone for %j',
    (address) => {
      expect(hyperlink('here', address)).toBe('here');
    },
  );
});

describe('fileAddress', () => {
  it('names the host, and encodes what is not of an address', () => {
    expect(fileAddress('/home/me', 'a b/ü#?\u001b.ts', 'my host')).toBe(
      'file://my%20host/home/me/a%20b/%C3%BC%23%3F%1B.ts',
    );
  });

  it('takes a folder of Windows', () => {
    expect(fileAddress('C:\\work', 'a.ts', 'pc')).toBe('file://pc/C%3A/work/a.ts');
  });
});

describe('webAddress', () => {
  it.each(['javascript:alert(1)', 'file:///etc/passwd', 'x', null])('is none for %j', (url) => {
    expect(webAddress(url)).toBeNull();
  });
});
