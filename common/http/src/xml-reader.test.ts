import { describe, expect, it } from 'vitest'
import { findChild, parseXml, readText, xmlDepthMax, XmlError, type XmlElement } from './xml-reader.ts'

const parse = (text: string): XmlElement => parseXml(Buffer.from(text))

describe('parseXml', () => {
  it('reads elements, text, CDATA and entities, and skips what is around them', () => {
    const root = parse(
      '\uFEFF<?xml version="1.0" encoding="UTF-8"?>\n<!-- a -->\n<a:r xmlns:a="http://x/" b = \'>\'>\n' +
        '<i>1 &lt;&amp;&#65;&#x1F600;</i><i/><i ><![CDATA[<&]]>x</i >\n</a:r>\n<!-- end -->',
    )
    expect(root.name).toBe('r')
    expect(root.children.map(({ name, text }) => [name, text])).toEqual([
      ['i', '1 <&A😀'],
      ['i', ''],
      ['i', '<&x'],
    ])
  })

  it('finds texts by their path', () => {
    const root = parse('<r><a><b>1</b><b>2</b></a></r>')
    expect([readText(root, 'a', 'b'), readText(root, 'a', 'c', 'd'), findChild(root, 'a')?.children.length]).toEqual(['1', undefined, 2])
  })

  it('takes elements of the depth it allows, and not one more', () => {
    const nested = (depth: number): string => '<a>'.repeat(depth) + '</a>'.repeat(depth)
    expect(parse(nested(xmlDepthMax)).name).toBe('a')
    expect(() => parse(nested(xmlDepthMax + 1))).toThrow(`want at most ${xmlDepthMax} elements inside each other`)
  })

  it.each([
    ['', 'at offset 0: want an element, got the end'],
    ['<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 'at offset 0: want no document type'],
    ['<a>&b;</a>', "want one of XML's own entities"],
    ['<a>&#0;</a>', "want one of XML's own entities"],
    ['<a>&#xD800;</a>', "want one of XML's own entities"],
    ['<a>&constructor;</a>', "want one of XML's own entities"],
    ['<a>& b</a>', "want one of XML's own entities"],
    ['<a><b></a></b>', 'at offset 6: want </b>'],
    ['<a></a', 'at offset 6: want >'],
    ['<a>', 'at offset 3: want </a>, got the end'],
    ['</a>', 'at offset 0: want a start tag'],
    ['<a/><b/>', 'at offset 4: want nothing after the root element'],
    ['<a/>x', 'at offset 4: want an element'],
    ['<a b/>', 'want an attribute or the end of the tag'],
    ['<a b="<"/>', 'want an attribute or the end of the tag'],
    ['<1/>', 'at offset 0: want a tag'],
    ['<!-- ', 'want -->'],
    ['{"a": 1}', 'at offset 0: want an element'],
  ])('refuses %j', (text, reason) => {
    expect(() => parse(text)).toThrow(reason)
    expect(() => parse(text)).toThrow(XmlError)
  })

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseXml(Uint8Array.from([0x3c, 0x61, 0x3e, 0xff]))).toThrow('want UTF-8')
  })
})
