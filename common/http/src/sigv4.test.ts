import { Secret } from '@narthex/config/secret'
import { describe, expect, it } from 'vitest'
import { signRequest, type SignableRequest } from './sigv4.ts'

// Signatures that AWS published: the signature version 4 test suite and the examples of its guides.

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY') }
const suite = { region: 'us-east-1', service: 'service', nowMs: Date.parse('2015-08-30T12:36:00Z') }

function signatureOf(request: Partial<SignableRequest> & { url: URL }, service = 'service'): string {
  const headers = signRequest({ method: 'GET', headers: {}, body: '', ...request }, credentials, { ...suite, service })
  return /Signature=(.*)$/.exec(headers['authorization']!)![1]!
}

const at = (path: string): URL => new URL(`https://example.amazonaws.com${path}`)

describe('signRequest', () => {
  it('adds date and authorization', () => {
    expect(signRequest({ method: 'GET', url: at('/'), headers: {}, body: '' }, credentials, suite)).toEqual({
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, ' +
        'Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    })
  })

  it.each([
    ['get-vanilla', 'GET', '/', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['get-slash: two slashes are one', 'GET', '//', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['get-relative', 'GET', '/example/..', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', 'POST', '/', {}, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'get-vanilla-query-order-key-case',
      'GET',
      '/?Param2=value2&Param1=value1',
      {},
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    ['post-vanilla-query', 'POST', '/?Param1=value1', {}, '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11'],
    ['post-header-key-sort', 'POST', '/', { 'My-Header1': 'value1' }, 'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c'],
  ])('signs %s of the test suite', (_name, method, path, headers, signature) => {
    expect(signatureOf({ method, url: at(path), headers })).toBe(signature)
  })

  it('signs the body and its type (post-x-www-form-urlencoded)', () => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    expect(signatureOf({ method: 'POST', url: at('/'), headers, body: Buffer.from('Param1=value1') })).toBe(
      'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    )
  })

  it('signs the example of the guide to IAM', () => {
    const url = new URL('https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08')
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
    expect(signatureOf({ url, headers }, 'iam')).toBe('5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7')
  })

  it('sends and signs the token of a session', () => {
    const session = { ...credentials, sessionToken: new Secret('tok') }
    const headers = signRequest({ method: 'GET', url: at('/'), headers: {}, body: '' }, session, suite)
    expect(headers['x-amz-security-token']).toBe('tok')
    expect(headers['authorization']).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token,')
  })

  it('gives every part of path, query, headers and body its place in the signature', () => {
    const base = { method: 'POST', url: at('/a%20b?x=1'), headers: { a: '1' }, body: 'b' }
    const others = [{ url: at('/a%2520b?x=1') }, { url: at('/a%20b?x=2') }, { headers: { a: '2' } }, { body: 'c' }, { method: 'PUT' }]
    const signatures = [base, ...others.map((change) => ({ ...base, ...change }))].map((request) => signatureOf(request))
    expect(new Set(signatures).size).toBe(6)
  })
})
