import { expect, test } from 'vitest'
import { cleanName, parseSensorFileName } from './hwmon-sensors.ts'

test.each([
  ['temp1_input', 'temp', 'temp1', 'input'],
  ['temp10_crit_alarm', 'temp', 'temp10', 'crit_alarm'],
  ['pwm1', 'pwm', 'pwm1', ''],
  ['pwm1_auto_point1_pwm', 'pwm', 'pwm1', 'auto_point1_pwm'],
  ['update_interval', 'update_interval', 'update_interval0', ''],
  ['in0_beep', 'in', 'in0', 'beep'],
])('%s is read', (name, type, sensor, element) => {
  expect(parseSensorFileName(name)).toEqual({ type, sensor, element })
})

test.each(['name', 'uevent', 'power_state', '1temp', 'tempo1_input', ''])('%j is no sensor file', (name) => {
  expect(parseSensorFileName(name)).toBeUndefined()
})

test('names become what a metric name can hold', () => {
  expect(cleanName('i2c-1/Foo Bar.2\n')).toBe('i2c_1_foo_bar_2')
})
